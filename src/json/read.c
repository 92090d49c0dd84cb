#include "json/read.h"

const char *json_wanted(const struct json_field *field)
{
	static const char *const wanted[] = {
		[READ_SLICE] = "a string",     [READ_TEXT] = "a string",
		[READ_COPY] = "a string",      [READ_NUMBER] = "an integer",
		[READ_FLAG] = "true or false", [READ_TEXTS] = "an array of strings",
		[READ_LIST] = "an array",      [READ_OBJECT] = "an object",
		[READ_ANY] = "a value",        [READ_MAP] = "an object of strings",
	};

	return field->wanted ? field->wanted : wanted[field->kind];
}

static bool is_text(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

static bool are_texts(const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach ((json_t *)list, i, text)
		if (!is_text(text))
			return false;
	return json_is_array(list);
}

static bool is_map(const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)object, name, value)
		if (!is_text(value))
			return false;
	return json_is_object(object);
}

bool json_is_kind(const json_t *value, enum json_kind kind)
{
	switch (kind) {
	case READ_SLICE:
		return json_is_string(value);
	case READ_TEXT:
	case READ_COPY:
		return is_text(value);
	case READ_NUMBER:
		return json_is_integer(value);
	case READ_FLAG:
		return json_is_boolean(value);
	case READ_TEXTS:
		return are_texts(value);
	case READ_MAP:
		return is_map(value);
	case READ_LIST:
		return json_is_array(value);
	case READ_OBJECT:
		return json_is_object(value);
	case READ_ANY:
		break;
	}
	return true;
}

/* What the bounds are of. */
static json_int_t measure(const json_t *value)
{
	if (json_is_integer(value))
		return json_integer_value(value);
	return (json_int_t)(json_is_string(value) ? json_string_length(value)
						  : json_array_size(value));
}

static void put(const json_t *value, const struct json_field *field, void *place)
{
	switch (field->kind) {
	case READ_SLICE:
		*(struct slice *)place = json_slice(value);
		break;
	case READ_TEXT:
		*(const char **)place = json_string_value(value);
		break;
	case READ_COPY:
		memcpy(place, json_string_value(value), json_string_length(value) + 1);
		break;
	case READ_NUMBER:
		*(uint64_t *)place = (uint64_t)json_integer_value(value);
		break;
	case READ_FLAG:
		*(bool *)place = json_is_true(value);
		break;
	default:
		*(const json_t **)place = value;
	}
}

static int refuse(struct json_refusal *refusal, enum json_mistake mistake,
		  const struct json_field *field, const char *name)
{
	*refusal = (struct json_refusal){mistake, field, name};
	return -1;
}

static int read_field(const json_t *value, const struct json_field *field, void *out,
		      struct json_refusal *refusal)
{
	json_int_t size = measure(value);

	if (!value)
		return field->is_required ? refuse(refusal, JSON_MISSING, field, field->name) : 0;
	if (!json_is_kind(value, field->kind))
		return refuse(refusal, JSON_WRONG_TYPE, field, field->name);
	if (field->most && (size < 0 || (uint64_t)size < field->least))
		return refuse(refusal, JSON_TOO_SMALL, field, field->name);
	if (field->most && (uint64_t)size > field->most)
		return refuse(refusal, JSON_TOO_LARGE, field, field->name);
	put(value, field, (char *)out + field->offset);
	return 0;
}

static bool is_known(const char *name, const struct json_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0)
			return true;
	return false;
}

int json_read(const json_t *object, const struct json_field *fields, size_t count,
	      enum json_strictness strictness, void *out, struct json_refusal *refusal)
{
	const char *name;
	json_t *value;

	if (strictness == JSON_KNOWN_ONLY)
		json_object_foreach ((json_t *)object, name, value)
			if (!is_known(name, fields, count))
				return refuse(refusal, JSON_UNKNOWN, NULL, name);
	for (size_t i = 0; i < count; i++) {
		value = json_object_get(object, fields[i].name);
		if (json_is_null(value) && strictness == JSON_NULL_IS_ABSENT)
			value = NULL;
		if (read_field(value, &fields[i], out, refusal) < 0)
			return -1;
	}
	return 0;
}

int json_take(const json_t *object, const char *within, const struct json_field *fields,
	      size_t count, enum json_strictness strictness, void *out, struct error *err)
{
	const struct json_complaint *complaint;
	struct json_refusal refusal;

	if (strictness == JSON_KNOWN_ONLY)
		strictness = JSON_LENIENT;
	if (json_read(object, fields, count, strictness, out, &refusal) == 0)
		return 0;
	if (refusal.mistake == JSON_WRONG_TYPE)
		return error_set(err, 400, "wrong_type", "%s%s must be %s", within, refusal.name,
				 json_wanted(refusal.field));
	complaint = refusal.mistake == JSON_TOO_LARGE ? &refusal.field->too_large
						      : &refusal.field->too_small;
	return error_set(err, 400, complaint->code, "%s%s %s", within, refusal.name,
			 complaint->text);
}
