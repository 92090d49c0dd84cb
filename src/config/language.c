#include "config/language.h"

static const struct sandbox_language languages[] = {
	{"python", {NULL}, true, true},         {"node", {"javascript", "js"}, true, false},
	{"bash", {"sh", "shell"}, true, false}, {"r", {NULL}, false, false},
	{"go", {NULL}, false, false},           {"rust", {NULL}, false, false},
	{"java", {NULL}, false, false},         {"cpp", {NULL}, false, false},
};

const struct sandbox_language *sandbox_language_at(size_t index)
{
	return index < sizeof(languages) / sizeof(languages[0]) ? &languages[index] : NULL;
}

bool sandbox_has_language(const struct template *template, const struct sandbox_language *language)
{
	size_t len = strlen(language->name);

	for (const char *at = template->languages; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, language->name, len) == 0)
			return true;
		at += word;
	}
	return false;
}

static bool is_called(const struct sandbox_language *language, struct slice name)
{
	if (slice_eq_nocase(name, language->name))
		return true;
	for (const char *const *alias = language->aliases; *alias; alias++)
		if (slice_eq_nocase(name, *alias))
			return true;
	return false;
}

const struct sandbox_language *sandbox_language(struct slice name, const struct template *template)
{
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
		if (is_called(&languages[i], name))
			return sandbox_has_language(template, &languages[i]) ? &languages[i] : NULL;
	return NULL;
}
