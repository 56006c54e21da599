/*
 * jsonobject.h - building a jsonb object key by key.
 */
#ifndef FF_JSONOBJECT_H
#define FF_JSONOBJECT_H

#include "base/compat.h"

#include "base/value.h"

/* An object under construction, in the memory context it was begun in. */
typedef struct FfJsonObject
{
	JsonbParseState *state;
} FfJsonObject;

extern FfJsonObject *ff_json_begin(void);

/* Keys and texts are copied. NULL becomes a JSON null. */
extern void ff_json_text(FfJsonObject *object, const char *key, const char *value);
extern void ff_json_bool(FfJsonObject *object, const char *key, bool value);
extern void ff_json_int8(FfJsonObject *object, const char *key, int64 value);
extern void ff_json_jsonb(FfJsonObject *object, const char *key, Jsonb *value);

/* The finished object; the builder is done with. */
extern Jsonb *ff_json_end(FfJsonObject *object);

/* The same as a value to bind; SQL NULL where no object was begun. */
extern NullableDatum ff_json_patch(FfJsonObject *object);

/* The value of a key of an object as text: NULL if absent, null or no scalar. */
extern char *ff_json_get_text(Jsonb *object, const char *key);

/* The object under a key, NULL if there is none. */
extern Jsonb *ff_json_get_object(Jsonb *object, const char *key);

#endif							/* FF_JSONOBJECT_H */
