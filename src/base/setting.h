/*
 * setting.h - the settings, prefix ffengine (specification chapter 01, section 8).
 *
 * Times are in the unit that the name says, sizes in bytes.
 */
#ifndef FF_SETTING_H
#define FF_SETTING_H

#include "base/compat.h"

typedef enum FfNotifyMode
{
	FF_NOTIFY_BACKGROUND,
	FF_NOTIFY_TRANSACTIONAL,
	FF_NOTIFY_OFF
} FfNotifyMode;

extern int64 ff_test_now_ms;	/* 0: the real clock */
extern int	ff_notify_mode;
extern int	ff_notify_delay_ms;
extern bool ff_notify_streams;
extern char *ff_instance_tag_key;
extern int	ff_default_lease_ttl_ms;
extern int	ff_max_lease_ttl_ms;
extern int	ff_default_grant_ttl_ms;
extern int	ff_max_grant_ttl_ms;
extern int	ff_reclaim_hold_ms;
extern int	ff_default_max_retries;
extern int	ff_default_backoff_initial_ms;
extern int	ff_default_backoff_max_ms;
extern double ff_default_backoff_multiplier;
extern int	ff_default_max_reclaims;
extern int	ff_default_max_replays;
extern int	ff_default_max_signals;
extern int	ff_max_payload_size;
extern int	ff_max_signal_payload_size;
extern int	ff_max_frame_size;
extern int	ff_max_summary_size;
extern int	ff_stream_maxlen;
extern int	ff_execution_dedup_window_s;
extern int	ff_signal_dedup_window_s;
extern int	ff_usage_dedup_window_s;
extern int	ff_suspend_dedup_max_s;
extern int	ff_hmac_grace_s;
extern int	ff_max_flow_members;
extern int	ff_max_flow_edges;
extern int	ff_cancel_flow_inline_max;
extern int	ff_cancel_grace_ms;
extern int	ff_retention_s;
extern double ff_outbox_retention_ms;
extern double ff_outbox_max_retention_ms;
extern int	ff_dependency_stale_ms;
extern char *ff_databases;
extern bool ff_worker_enabled;
extern int	ff_launcher_naptime_ms;
extern int	ff_max_databases;
extern int	ff_batch_target_ms;

/* Define them all and reserve the prefix; called once, from _PG_init. */
extern void ff_setting_init(void);

#endif							/* FF_SETTING_H */
