/*
 * argument.h - reading the arguments of a SQL-callable function.
 *
 * The plain getters raise invalid_input/null_argument for NULL; the _or ones
 * give the default. Names are those of the SQL parameters, for messages.
 */
#ifndef FF_ARGUMENT_H
#define FF_ARGUMENT_H

#include "base/compat.h"

#include "base/statement.h"

extern char *ff_arg_text(FunctionCallInfo fcinfo, int n, const char *name);
extern char *ff_arg_text_or(FunctionCallInfo fcinfo, int n, char *otherwise);
extern const pg_uuid_t *ff_arg_uuid(FunctionCallInfo fcinfo, int n, const char *name);
extern const pg_uuid_t *ff_arg_uuid_or_null(FunctionCallInfo fcinfo, int n);
extern bytea *ff_arg_bytea(FunctionCallInfo fcinfo, int n, const char *name);
extern bytea *ff_arg_bytea_or_null(FunctionCallInfo fcinfo, int n);
extern Jsonb *ff_arg_jsonb(FunctionCallInfo fcinfo, int n, const char *name);
/* SQL NULL and a JSON null are both NULL; over 256 kB as text is invalid_input. */
extern Jsonb *ff_arg_jsonb_or_null(FunctionCallInfo fcinfo, int n, const char *name);
/* The same without that limit, and a JSON null is a document like any other. */
extern Jsonb *ff_arg_document_or_null(FunctionCallInfo fcinfo, int n);
extern int64 ff_arg_int8(FunctionCallInfo fcinfo, int n, const char *name);
extern int32 ff_arg_int4_or(FunctionCallInfo fcinfo, int n, int32 otherwise);
extern int64 ff_arg_int8_or(FunctionCallInfo fcinfo, int n, int64 otherwise);
extern FfInt8 ff_arg_maybe_int4(FunctionCallInfo fcinfo, int n);
extern FfInt8 ff_arg_maybe_int8(FunctionCallInfo fcinfo, int n);
extern bool ff_arg_bool_or(FunctionCallInfo fcinfo, int n, bool otherwise);
/* A timestamptz as milliseconds; invalid_input unless finite and in range. */
extern FfInt8 ff_arg_maybe_instant(FunctionCallInfo fcinfo, int n, const char *name);

/*
 * Limits on values, of arguments or of what a jsonb argument holds. A breach
 * is invalid_input with the rule given in DETAIL: text_length, out_of_range,
 * negative, or for words white_space, for labels control_character.
 */
extern void ff_check_length(const char *value, const char *name, int min, int max);
extern void ff_check_word(const char *value, const char *name, int min, int max);	/* no white space, no control */
extern void ff_check_label(const char *value, const char *name, int min, int max);	/* no control character */
extern void ff_check_range(int64 value, const char *name, int64 min, int64 max);
extern void ff_check_not_negative(int64 value, const char *name);
extern void ff_check_jsonb_length(Jsonb *value, const char *name);	/* 256 kB as text */
extern void ff_check_payload(const bytea *value, const char *name, int max);	/* payload_too_large */

/* The text of a list of words, index of value in it; invalid_input/unknown_value if none. */
extern int	ff_check_one_of(const char *value, const char *name, const char *const *words, int nwords);

#endif							/* FF_ARGUMENT_H */
