/*
 * The one configuration: environment variables, read once, validated, with defaults from bounds.h.
 * Under systemd they come from /etc/mayfly/mayfly.conf (EnvironmentFile=), secrets better from
 * LoadCredential=: a file $CREDENTIALS_DIRECTORY/NAME stands in for the variable NAME
 * (systemd.exec(5), "Credentials").
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_REGISTRY_DIRS  3
#define CONFIG_SECRET_BYTES   1024  /* of one secret, with its NUL */
#define CONFIG_API_KEYS_BYTES 16384 /* of API_KEYS as a whole, with its NUL */

/* What is wrong with a secret of less than SECRET_MIN_BYTES. */
#define SECRET_SHORT                                                                               \
	"has fewer than 16 characters, and others reach this service at BIND: take a long one, "   \
	"such as that of openssl rand -hex 32"

#define NETWORK_ALLOW "allow" /* one that the engine has for itself */

/* Limits that an engine may be unable to enforce, by the names of their cgroup controllers; in a
   set, limit i is bit i. */
#define CONFIG_LIMITS 3
extern const char *const config_limits[CONFIG_LIMITS];
enum { LIMIT_MEMORY = 1 << 0, LIMIT_PIDS = 1 << 1, LIMIT_CPU = 1 << 2 };

struct config {
	const char *bind;                           /* BIND, 127.0.0.1 */
	uint64_t port;                              /* PORT or EXECUTOR_PORT, 8080 */
	const char *public_base_url;                /* PUBLIC_BASE_URL or NULL */
	const char *allowed_hosts;                  /* ALLOWED_HOSTS or NULL */
	const char *allowed_origins;                /* ALLOWED_ORIGINS or CORS_ORIGIN, or NULL */
	bool debug_ui;                              /* DEBUG_UI=true|1 */
	char executor_api_key[CONFIG_SECRET_BYTES]; /* EXECUTOR_API_KEY; "" when there is none */
	char api_keys[CONFIG_API_KEYS_BYTES];       /* API_KEYS; "" when there are none */
	char signing_key[CONFIG_SECRET_BYTES];      /* SIGNING_KEY; "" when there is none */
	char jwt_secret[CONFIG_SECRET_BYTES];       /* JWT_SECRET; "" when there is none */
	/* MAYFLY_KEYS_FILE; <MAYFLY_CONFIG_DIR>/keys, /etc/mayfly/keys, ~/.config/mayfly/keys; ""
	   when there is no place for one */
	char keys_file[PATH_MAX];
	/* MAYFLY_KEYS_STDIN=true|1, and no MAYFLY_KEYS_FILE: systemd has opened it as standard
	   input, for who must not be able to */
	bool keys_on_stdin;
	char storage[PATH_MAX];     /* AA_STORAGE_PATH, ~/.aa-storage */
	char storage_dir[PATH_MAX]; /* STORAGE_DIR: files and records of /v1; by default storage */
	char run[PATH_MAX]; /* MAYFLY_RUN_DIR; /run/mayfly for root, $XDG_RUNTIME_DIR/mayfly */
	/* MAYFLY_INSTANCE, "mayfly": labels our containers; [a-z0-9-]{1,32} */
	const char *instance;
	/* drop-in folders, most important first; the missing are skipped: MAYFLY_CONFIG_DIR or
	   ~/.config/mayfly, /etc/mayfly, MAYFLY_DATA_DIR or /usr/share/mayfly */
	char registry[CONFIG_REGISTRY_DIRS][PATH_MAX];
	char libexec[PATH_MAX]; /* MAYFLY_LIBEXEC_DIR; where our other programs lie; by default this
				   program's own folder */
	uint64_t stream_bytes;  /* MAYFLY_STREAM_MB */
	uint64_t artifact_count, artifact_bytes, artifacts_bytes;
	uint64_t slots; /* MAX_CONCURRENT_RUNS; by default twice the number of CPUs, at least 4 */
	uint64_t slot_wait_ms;                                    /* MAYFLY_SLOT_WAIT_MS */
	uint64_t pool, pool_total, pool_memory_bytes, pool_ttl_s; /* MAYFLY_POOL… */
	uint64_t sessions, sessions_of_tenant; /* MAYFLY_SESSIONS, MAYFLY_TENANT_SESSIONS */
	const char *warm; /* MAYFLY_WARM: what mayflyctl warm makes, "python node:a.js"; or NULL */
	/* MAYFLY_IMAGE_STAMP: a file that changes whenever images do; by default Podman's own list
	   of them */
	char image_stamp[PATH_MAX];
	uint64_t cache_bytes; /* MAYFLY_CACHE_MB; 0: no cache */
	/* MAYFLY_NETWORK: the network that a template with one gets, or NETWORK_ALLOW; NULL: none,
	   whatever the template says */
	const char *network;
	/* MAYFLY_ALLOW_UNENFORCED: limits that jobs may run without where the engine cannot enforce
	   them */
	unsigned unenforced;
	/* custom templates (config/template_custom.h): MAYFLY_TEMPLATES_DIR,
	   <STORAGE_DIR>/.templates; and what they may have: MAYFLY_TEMPLATE_… */
	char custom[PATH_MAX];
	/* beside those of the operator's templates, with blanks between; or NULL */
	const char *custom_images;
	uint64_t custom_memory_mb, custom_cpu_percent, custom_timeout_s;
	bool custom_network;
	uint64_t retention_days; /* ARTIFACT_RETENTION_DAYS; 0 keeps */
	/* MAYFLY_UIDS=FIRST-LAST: user ids of containers; 0 and 0: the default ones
	   (engine/user.h) */
	uint64_t uids_first, uids_last;
};

/* Reads the environment. The strings live as long as the environment does. 0, or -1 with *err: 500
   "bad_configuration", naming the variable and what it takes. */
MUST_USE int config_read(struct config *out, struct error *err);

/* Reads the number that the variable of that name gives, where it gives one. 0, or -1 with *err as
   config_read. */
MUST_USE int config_number(const char *name, uint64_t least, uint64_t most, uint64_t *out,
			   struct error *err);

/* The caller is known: EXECUTOR_API_KEY, API_KEYS and JWT_SECRET are wiped, in the environment too,
   and the keys file on standard input is closed. SIGNING_KEY stays: replies hold signed links. 0,
   or -1 with *err: 500 "keys_not_forgotten". */
MUST_USE int config_forget_keys(struct config *config, struct error *err);
