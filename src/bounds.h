/*
 * Every maximum and every default, with its unit in the name or beside it.
 *
 * Rules:
 *  1. A number that bounds something stands here and nowhere else.
 *  2. Names end in their unit: _BYTES, _MS, _S, _COUNT (a bare count may omit it where it is
 *     plain).
 *  3. What an operator may change is a DEFAULT_ here, and the environment variable is named beside
 *     it.
 */
#pragma once

#define KIB 1024ULL
#define MIB (1024ULL * 1024ULL)

/* --- HTTP: one request a connection ----------------------------------------------------------- */
#define HTTP_HEAD_MAX_BYTES             (16 * KIB) /* request line and fields together, else 431 */
#define HTTP_REQUEST_LINE_MAX_BYTES     (8 * KIB)  /* longer: 414 */
#define HTTP_METHOD_MAX_BYTES           32         /* longer: 501 */
#define HTTP_FIELD_MAX_COUNT            64         /* more: 431 */
#define HTTP_CONTENT_LENGTH_MAX_BYTES   (1ULL << 53) /* a length or a chunk above it: 400 */
#define HTTP_CHUNK_SIZE_MAX_DIGITS      16           /* leading zeros count; more: 400 */
#define HTTP_CHUNK_EXTENSION_MAX_BYTES  256          /* of one chunk-size line; more: 400 */
#define HTTP_CHUNK_EXTENSIONS_MAX_BYTES (4 * KIB)    /* of all chunks together; more: 400 */
#define HTTP_BODY_MAX_BYTES             MIB          /* JSON routes, else 413 */
#define HTTP_BODY_FILES_MAX_BYTES       (32 * MIB)   /* tools that take files */
#define HTTP_HEAD_DEADLINE_MS           10000        /* from accept to a whole head, else 408 */
#define HTTP_BODY_DEADLINE_MS           30000 /* from the head's end to the body's, else 408 */
#define HTTP_WRITE_DEADLINE_MS          30000 /* for a whole reply to be taken, else we hang up */
#define HTTP_LINGER_DEADLINE_MS         2000  /* draining after an early refusal */
#define PREFLIGHT_MAX_AGE_S             600   /* a browser need not ask again so long */
#define HTTP_LINGER_MAX_BYTES           (64 * MIB) /* drained at most */
#define HTTP_HEAD_READ_BYTES            (4 * KIB)  /* asked for at once while reading a head */
/* of a body; memory grows by no more before bytes arrive */
#define HTTP_BODY_READ_BYTES      (64 * KIB)
#define HTTP_REPLY_HEAD_MAX_BYTES (8 * KIB)
#define HTTP_CLIENT_NAME_BYTES    80   /* of host:port in a client's messages, with the NUL */
#define HTTP_AUTHORITY_MAX_BYTES  262  /* a DNS name, a colon and a port; longer: 400 */
#define URI_PATH_MAX_BYTES        4096 /* decoded */
/* what mayfly may have read before it hands over */
#define HTTP_HANDOVER_MAX_BYTES (128 * KIB)

/* --- Tools API (src/api/tools/README.md) ------------------------------------------------------ */
#define SESSION_ID_MAX_BYTES   128
#define TIMEOUT_DEFAULT_S      30
#define TIMEOUT_MIN_S          1
#define TIMEOUT_MAX_S          900
#define REPLY_STREAM_MAX_BYTES (10 * KIB) /* stdout, stderr in a /tools/execute reply */
#define REPLY_OUTPUT_MAX_BYTES MIB        /* output in a /run reply */
#define JOB_ID_LENGTH          6
#define JSON_DEPTH_MAX         64 /* nested arrays and objects in a request */
/* A tree takes up to 300 bytes for a value of three ("{},"): 60 MB, which a unit's MemoryMax has.
 */
#define JSON_VALUES_MAX 200000

/* --- Runs API: runs (src/api/runs/README.md; the six limits stand in api/runs/request.c) ------ */
#define RUN_CODE_MAX_BYTES        (200 * KIB)
#define RUN_FILE_MAX_BYTES        (10 * MIB) /* one staged file */
#define RUN_FILES_MAX_BYTES       (25 * MIB) /* all of a run's */
#define RUN_ID_LENGTH             12         /* behind "run_" */
#define RUN_SUMMARY_MAX_BYTES     (4 * KIB)
#define RUN_RECORD_MAX_BYTES      (32 * MIB) /* two streams of 2 MiB, each byte written as \u0000 */
#define RUN_RECORD_REST_BYTES     (256 * KIB) /* of a record, beside the streams */
#define RUN_LIST_DEFAULT          20
#define RUN_LIST_MAX              100
#define RUN_COMPILE_TIMEOUT_MS    60000
#define RUN_COMPILE_OUTPUT_BYTES  (64 * KIB) /* each of the compiler's streams */
#define RUN_COMPILED_MAX_BYTES    (32 * MIB) /* what it makes */
#define IDEMPOTENCY_KEY_MAX_BYTES 255
#define IDEMPOTENCY_WAIT_MS       30000 /* for the first run of a key to end; then 409 */

/* --- Agents API: agent runs (src/api/agents/README.md), and POST /validate -------------------- */
#define AGENT_ID_MAX_BYTES     128
#define AGENT_BODY_MAX_BYTES   (4 * MIB)
#define AGENT_PROMPT_MAX_BYTES (64 * KIB)
/* each of stdout and stderr in a run's record; beyond: cut */
#define AGENT_STREAM_MAX_BYTES MIB
#define AGENT_LOG_MAX_COUNT    32
#define AGENT_LOG_MAX_BYTES    512  /* one line */
#define AGENT_LIST_MAX         1000 /* runs in a list */
/* milliseconds that others may have taken before an id is free */
#define AGENT_CLAIM_TRIES            10000
#define AGENT_STRUCTURE_SCRIPT_LEAST 10 /* a script has more characters than this */
/* html, css and javascript together have fewer, as JavaScript counts them */
#define AGENT_PERFORMANCE_MAX_CHARS 100000
#define JWT_MAX_BYTES               (8 * KIB)
#define JWT_SUBJECT_MAX_BYTES       256
#define VALIDATE_FILES_MAX_COUNT    64
#define CHECK_OUTPUT_MAX_BYTES      (512 * KIB) /* of all parsers of one request together */
#define CHECK_FILE_OUTPUT_BYTES     (4 * KIB)   /* what is kept of one parser's words */
#define CHECK_MESSAGE_BYTES         640
#define PATTERNS_MAX_COUNT          256 /* in one file of patterns.d */
#define PATTERN_MAX_BYTES           128
#define PATTERN_MESSAGE_MAX_BYTES   1024
#define PATTERN_HITS_MAX_COUNT      1000 /* named in one reply; there may be more */

/* --- Sandbox API: sandboxes and sessions (src/api/sandbox/README.md) -------------------------- */
#define HTTP_BODY_SANDBOX_MAX_BYTES (16 * MIB)
#define SANDBOX_TIMEOUT_MAX_S       3600 /* what a request or a template may ask for */
#define SANDBOX_FILE_MAX_BYTES      (10 * MIB)
#define SANDBOX_FILES_MAX_BYTES     (100 * MIB) /* all of a request's */
#define SANDBOX_STREAM_MAX_BYTES    MIB         /* each stream of a reply */
#define RESULT_MAX_COUNT            64          /* rich results of a request */
#define RESULT_FILE_SHOWN_MAX_BYTES MIB         /* a file whose content a reply has */
#define RESULTS_MAX_BYTES           (8 * MIB)   /* all of them, as they are shown */
/* both copies of it all, each byte written as \u0000 */
#define SANDBOX_REPLY_MAX_BYTES      (96 * MIB)
#define SANDBOX_CELL_MAX_COUNT       128 /* of one request */
#define SANDBOX_NAME_MAX_BYTES       255 /* tenant_id, scope */
#define SANDBOX_REQUEST_ID_MAX_BYTES 128 /* of an X-Request-ID that is echoed */
#define SESSION_ID_DIGITS            12
#define SESSIONS_DEFAULT             10 /* MAYFLY_SESSIONS, of all tenants */
#define SESSIONS_MAX                 256
#define SESSION_TTL_DEFAULT_S        300
#define SESSION_TTL_MAX_S            86400
#define SESSION_LIFETIME_S           86400 /* of its container, however much it is used */
/* of 1024, which a job's container has: what is left of a busy CPU goes to jobs first */
#define SESSION_CPU_SHARES 512
/* what may run in an owner's sessions between requests, in an hour; of that between two requests
   a share by the number of sessions, at least SESSION_REST_MIN_CPU_MS */
#define SESSION_REST_CPU_MS      600000
#define SESSION_REST_MIN_CPU_MS  100
#define SESSION_FILE_MAX_BYTES   (100 * MIB) /* one that is sent or fetched by itself */
#define SESSION_WAIT_MS          30000       /* for another cell of the session to end; then 409 */
#define SESSION_RECORD_MAX_BYTES (8 * KIB)

/* --- Languages (config/language.h) ------------------------------------------------------------ */
#define LANGUAGE_BOOT_ENV_MAX_COUNT 8
#define LANGUAGE_ARGV_MAX_COUNT     64 /* of a command of its file */
#define LANGUAGE_RUN_ARGV_MAX_COUNT 8  /* of a run's, behind which come the client's arguments */
#define LANGUAGE_ALIASES_MAX_COUNT  16

/* --- Templates: files, recipes of images, and what those that are added may have -------------- */
#define TEMPLATE_ENVIRONMENT_BYTES (4 * KIB)   /* all its variables, with their NULs */
#define RECIPE_ENTRIES_MAX         256         /* of one list */
#define RECIPE_WORD_MAX_BYTES      128         /* a package, a variable's name */
#define RECIPE_LINE_MAX_BYTES      1024        /* a command, a variable's value */
#define RECIPE_MAX_BYTES           (256 * KIB) /* as scripts/build-template reads it */
#define CUSTOM_MAX_COUNT           64          /* custom templates */
#define CUSTOM_MEMORY_DEFAULT_MB   4096        /* MAYFLY_TEMPLATE_MEMORY_MB, the most of one */
#define CUSTOM_CPU_DEFAULT_PERCENT 400         /* MAYFLY_TEMPLATE_CPU_PERCENT */
#define CUSTOM_CPU_QUOTA_PERIOD_US 100000      /* of a cpu_quota in microseconds */
#define NETWORK_NAME_MAX_BYTES     64
#define SELINUX_TYPE_MAX_BYTES     64

/* --- Server-sent events ----------------------------------------------------------------------- */
#define SSE_HEARTBEAT_MS      15000
#define SSE_END_DEADLINE_MS   30000      /* for a client to take what is left */
#define SSE_BACKLOG_MAX_BYTES (64 * MIB) /* kept for a slow reader; then it is hung up on */

/* --- A job ------------------------------------------------------------------------------------ */
#define JOB_STREAM_MAX_BYTES    (10 * MIB)  /* each of stdout and stderr; MAYFLY_STREAM_MB */
#define EXECUTION_ENDING_BYTES  512         /* what we say of how a job ended; with the NUL */
#define STREAM_SYNC_INTERVAL_MS 100         /* between two syncs of a running program's output */
#define JOB_GRACE_MS            5000        /* beyond a job's own deadline, for collecting */
#define JOB_ARTIFACT_MAX_COUNT  256         /* MAYFLY_ARTIFACT_FILES */
#define JOB_ARTIFACT_MAX_BYTES  (32 * MIB)  /* one file; MAYFLY_ARTIFACT_FILE_MB */
#define JOB_ARTIFACTS_MAX_BYTES (100 * MIB) /* all files together; MAYFLY_ARTIFACT_TOTAL_MB */
#define JOB_ARTIFACT_DEPTH_MAX  16          /* folders below the working directory */
#define JOB_ARTIFACT_SCAN_MAX   10000       /* directory entries looked at */
#define JOB_PATH_MAX_BYTES      1024        /* relative path of an input or artifact */
#define JOB_NAME_MAX_BYTES      255         /* one component */
#define JOB_INPUT_MAX_COUNT     256
#define JOB_ARGV_MAX_COUNT      128
#define JOB_ENV_MAX_COUNT       128
#define JOB_FOLDER_MAX_COUNT    8  /* made for a job before it starts */
#define JOB_IGNORED_MAX_COUNT   16 /* names that are not collected */

/* --- mayfly-init ------------------------------------------------------------------------------ */
#define INIT_LIFETIME_MAX_S       (7 * 24 * 3600) /* its own deadline, its only argument */
#define INIT_CLOCK_MAX_MS         INT32_MAX       /* wall_ms, cpu_ms of a job */
#define INIT_REAP_DEADLINE_MS     2000            /* for killed processes to be gone */
#define INIT_BOOT_DEADLINE_MS     15000           /* for a runtime to wait for its script */
#define INIT_KERNEL_ENV_MAX_COUNT 16
#define INIT_PROGRAM_NICE         10          /* a program's, above init's: a ninth of its weight */
#define INIT_OOM_KILLS_MAX        3           /* of a job; then it is ended */
#define INIT_OOM_CHECK_MS         200         /* between two looks at how many there were */
#define INIT_OOM_REST_CHECK_MS    1000        /* the same, between the jobs of a session */
#define INIT_GO_FD                63          /* the last one of a new process's first table */
#define INIT_CODE_FD              62          /* a kernel reads code there */
#define JOB_STDIN_MAX_BYTES       (32 * MIB)  /* spooled, charged to the job's memory */
#define JOB_SKIPPED_MAX_COUNT     256         /* things named as not collected */
#define COLLECT_NAMES_MAX_BYTES   (512 * KIB) /* names of all folders on one way down */
#define CELL_KERNEL_MAX_COUNT     4           /* of one container, each of another name */
#define KERNEL_NAME_MAX_BYTES     16          /* of a kernel */
#define CELL_TICK_PAUSE_NS        500000      /* a tick takes 1 to 10 ms: one is waited for so */
#define CELL_TICK_PAUSES_COUNT    40
#define CELL_GRACE_MS             1500       /* from a cell's interrupt to SIGKILL */
#define CELL_SEND_DEADLINE_MS     30000      /* for the host to take what is left */
#define CELL_DISPLAY_MAX_COUNT    64         /* of one cell; more are thrown away */
#define CELL_DISPLAYS_MAX_BYTES   (32 * MIB) /* of one cell, together */
#define CELL_IDLE_MAX_S           86400      /* idle_s */
#define DISPLAY_TYPE_MAX_BYTES    100
#define DISPLAY_WORD_MAX_BYTES    64 /* name, source */
#define DISPLAY_MESSAGE_MAX_BYTES 1024
#define CPU_CHECK_MIN_MS          10        /* between two looks at a CPU budget */
#define PUMP_EAGER_FRAMES         1000      /* output frames before crumbs are gathered */
#define PUMP_CRUMB_BYTES          (4 * KIB) /* a read of less is a crumb */
#define PUMP_REST_MS              5         /* then nothing is read for so long */

/* --- Control socket frames (base/frame.h) ----------------------------------------------------- */
#define FRAME_HEADER_BYTES      5
#define FRAME_DATA_MAX_BYTES    (64 * KIB)  /* streams and file contents go in pieces */
#define FRAME_JOB_MAX_BYTES     (256 * KIB) /* argv, env, limits */
#define FRAME_DISPLAY_MAX_BYTES (4 * MIB)
#define FRAME_EXIT_MAX_BYTES    KIB
#define FRAME_LISTED_MAX_BYTES  (2 * KIB)
#define FRAME_ENGINE_MAX_BYTES  (64 * KIB) /* engine verbs and their answers */

/* --- Containers: the defaults an operator may change, per template ---------------------------- */
#define DEFAULT_MEMORY_MB    512  /* MAYFLY_MEMORY_MB; swap is set equal to it */
#define DEFAULT_PIDS         128  /* MAYFLY_PIDS */
#define DEFAULT_CPU_PERCENT  50   /* MAYFLY_CPU_PERCENT; 100 is one CPU */
#define DEFAULT_WORKSPACE_MB 128  /* MAYFLY_WORKSPACE_MB, charged to memory */
#define DEFAULT_TMP_MB       100  /* MAYFLY_TMP_MB, charged to memory */
#define DEFAULT_SHM_MB       64   /* MAYFLY_SHM_MB, charged to memory */
#define DEFAULT_NOFILE       1024 /* MAYFLY_NOFILE */
#define DEFAULT_NPROC        4096 /* MAYFLY_NPROC */
#define DEFAULT_FSIZE_MB     128  /* MAYFLY_FSIZE_MB, the largest file a program may write */
#define CONTAINER_SIGPENDING 1024 /* signals queued and timers, of all its processes */
#define CONTAINER_MEMLOCK_KB 64   /* locked memory of each process */
#define SMALL_TMPFS_BYTES    MIB  /* /run and /var/tmp: present, useless for storing */
#define MEMORY_MIN_MB        16
#define MEMORY_MAX_MB        (1024 * 1024)
#define PIDS_MIN             4
#define PIDS_MAX             32768
#define CPU_PERCENT_MAX      102400
#define TMPFS_MAX_MB         (1024 * 1024)
/* MAYFLY_UIDS, else USER_COUNT ids from here; in a namespace of 65536 ids, and for a rootless
   engine, from USER_FIRST_INSIDE */
#define USER_FIRST          70000
#define USER_FIRST_INSIDE   20000
#define USER_COUNT          4096
#define USER_MIN            1000 /* below are a host's own */
#define USER_MAX            2147483647
#define USER_RANGE_MIN      64 /* ids of a range */
#define TEMPLATE_USER_BYTES 32 /* with its NUL */
#define NOFILE_MIN          16
#define NOFILE_MAX          1048576
#define NPROC_MIN           4
#define NPROC_MAX           1048576
#define TEMPLATE_TEXT_BYTES 256 /* an image's name, a description; with its NUL */

/* --- Engine ----------------------------------------------------------------------------------- */
#define ENGINE_CONNECT_DEADLINE_MS  2000      /* to a Podman socket */
#define ENGINE_CALL_DEADLINE_MS     20000     /* one API call */
#define ENGINE_MAKE_DEADLINE_MS     30000     /* create, start and init listening, together */
#define ENGINE_REPLY_MAX_BYTES      (4 * MIB) /* an API reply's body */
#define ENGINE_REQUEST_MAX_BYTES    MIB /* an API request's body; Docker takes the seccomp text */
#define ENGINE_LIST_DEADLINE_MS     120000 /* all our containers, by as many calls as that takes */
#define ENGINE_REMOVE_DEADLINE_MS   15000  /* a container's removal, with every retry */
#define ENGINE_AGAIN_MS             10 /* before an uncertain answer is asked for again; doubled */
#define ENGINE_AGAIN_MAX_MS         500
#define ENGINE_AGAIN_PATIENCE_MS    150 /* so long, but for a container's removal */
#define ENGINE_EXIT_GRACE_MS        200 /* for init to end by itself before it is killed */
#define ENGINE_DEATH_CHECK_MS       250 /* between looks at a container that does not listen yet */
#define ENGINE_IDLE_DEADLINE_MS     60000 /* of silence on a connection without a container */
#define ENGINE_MESSAGE_BYTES        256 /* of what an engine says that is passed on; with its NUL */
#define CONTROL_CONNECT_DEADLINE_MS 2000
#define CONTAINER_START_ALLOWANCE_S 30 /* added to a job's time-out for a container's deadline */

/* --- Admission and housekeeping --------------------------------------------------------------- */
#define SLOT_WAIT_MS           10000 /* MAYFLY_SLOT_WAIT_MS: bounded wait, then 503 */
#define POOL_DEFAULT           2     /* MAYFLY_POOL, of each kind; 0: none */
#define POOL_TOTAL_DEFAULT     8     /* MAYFLY_POOL_TOTAL, of all kinds */
#define POOL_TOTAL_MAX         256
#define POOL_MEMORY_DEFAULT_MB 1024 /* MAYFLY_POOL_MEMORY_MB, of all pooled containers */
#define POOL_TTL_DEFAULT_S     300  /* MAYFLY_POOL_TTL_S */
#define POOL_TTL_MAX_S         86400
/* for a runtime to boot in a container that has half a CPU */
#define POOL_PREPARE_DEADLINE_MS 20000
#define POOL_RECORD_MAX_BYTES    4096
#define POOL_END_DEADLINE_MS     2000 /* for one that is dropped to end by itself */
/* a record without a pooled container, older than this, is swept */
#define POOL_RECORD_MAX_AGE_S   60
#define SETTINGS_FILE_MAX_BYTES (64 * KIB) /* mayfly.conf */
#define SLOT_MAX_COUNT          1024
#define RETENTION_DEFAULT_DAYS  30    /* ARTIFACT_RETENTION_DAYS; 0 keeps */
#define REAP_CLOCK_STEP_S       300   /* more, against the clock that no one sets: it jumped */
#define REAP_CLOCK_DOUBT_S      86400 /* so long nothing is removed by its age */
#define REAP_CONTAINERS_MAX     16384
/* leaves time for the rest before the unit's end (300 s) */
#define REAP_CONTAINERS_DEADLINE_MS 120000
/* half-written and as old as two of the longest jobs: swept */
#define INCOMING_MAX_AGE_S        7200
#define REGISTRY_FILE_MAX_BYTES   (256 * KIB) /* one drop-in file */
#define REGISTRY_NAME_MAX_BYTES   64
#define REGISTRY_MAX_COUNT        512 /* entries of one kind */
#define LOG_LINE_MAX_BYTES        2048
#define LOG_VALUE_MAX_BYTES       1024      /* of a field; beyond: cut */
#define LOG_ENTRY_MAX_BYTES       (8 * KIB) /* a line with its fields, as the journal gets it */
#define LOG_FIELD_NAME_BYTES      65        /* 64, which is journald's maximum, and the NUL */
#define LOG_WINDOW_S              60        /* LOG_WINDOW_LINES: see store/log_limit.h */
#define LOG_WINDOW_LINES          200
#define LOGS_CONTAINERS_MAX_BYTES MIB    /* what journalctl may say of a job's containers */
#define LOGS_DEADLINE_MS          300000 /* for it to say that */
/* MAYFLY_CACHE_MB, of where cached results are; 0: nothing is cached */
#define CACHE_DEFAULT_MB         16
#define CACHE_MAX_COUNT          4096
#define CACHE_ENTRY_MAX_BYTES    511
#define STORAGE_RECORD_MAX_BYTES (16 * MIB) /* a reply of the tools API */

/* --- Keys, files and links of /v1 (src/api/runs/README.md) ------------------------------------ */
#define KEYS_FILE_MAX_BYTES          (256 * KIB) /* the keys file */
#define KEYS_MAX_COUNT               1024
#define SECRET_MIN_BYTES             16 /* of a secret or token of the operator's, where others reach us */
#define KEY_ID_BYTES                 33      /* with the NUL; of one key's id */
#define KEY_LABEL_BYTES              65      /* with the NUL */
#define KEY_SCOPES_BYTES             32      /* with the NUL; the names of all scopes */
#define KEY_RATE_BYTES               24      /* with the NUL; a rate as text */
#define KEY_TOKEN_BYTES              47      /* "mf_", 43 characters (258 random bits), NUL */
#define KEY_TOKEN_MAX_BYTES          512     /* of a token that a client shows */
#define KEY_RATE_MIN_MICRO           1000ULL /* a token in 1000 s */
#define KEY_RATE_MAX_MICRO           (1000000ULL * 1000000ULL) /* a million a second */
#define KEY_BURST_MAX                1000000ULL
#define KEY_JOBS_MAX                 SLOT_MAX_COUNT
#define KEY_CPU_MAX_S                1000000000ULL
#define KEY_CPU_WINDOW_S             3600       /* that a key's CPU seconds are for */
#define KEY_RATE_DEFAULT_MICRO       5000000ULL /* mayflyctl keys add, API_KEYS */
#define KEY_BURST_DEFAULT            20ULL
#define KEY_ENV_LABEL_DEFAULT        "default" /* of an entry of API_KEYS */
#define KEY_ENV_BURST_DEFAULT        10ULL
#define FILE_ID_LENGTH               12         /* of a file's id, behind its prefix */
#define UPLOAD_MAX_BYTES             (10 * MIB) /* one file; more: 413 */
#define UPLOAD_FORM_MAX_BYTES        (UPLOAD_MAX_BYTES + 64 * KIB) /* the whole form */
#define FILE_META_MAX_BYTES          (4 * KIB)
#define MULTIPART_BOUNDARY_MAX_BYTES 70        /* RFC 2046 section 5.1.1 */
#define MULTIPART_HEADER_MAX_BYTES   (4 * KIB) /* of one part, else 400 */
#define MULTIPART_PREAMBLE_MAX_BYTES KIB       /* before the first boundary */
#define MULTIPART_PADDING_MAX_BYTES  64        /* blanks behind a boundary */
#define MULTIPART_PART_MAX_COUNT     32
#define SIGNED_URL_TTL_S             600
#define SIGNED_JSON_MAX_BYTES        KIB

/* --- mayflyctl doctor ------------------------------------------------------------------------- */
#define DOCTOR_ADVISORIES_MAX_DAYS   120   /* of the table of known escapes; older: a warning */
#define DOCTOR_COMMAND_DEADLINE_MS   10000 /* for systemctl, dpkg-query and the like */
#define DOCTOR_ENGINE_DEADLINE_MS    (4 * ENGINE_CALL_DEADLINE_MS) /* to describe itself */
#define DOCTOR_HTTP_DEADLINE_MS      15000  /* for an answer that needs no job */
#define DOCTOR_PROBE_TIMEOUT_S       30     /* of each probe job */
#define DOCTOR_PROBE_DEADLINE_MS     100000 /* slot, container, job and removal */
#define CHILD_END_GRACE_MS           5000   /* from SIGTERM to SIGKILL */
#define CHILD_POLL_MS                20
#define DOCTOR_OUTPUT_MAX_BYTES      (64 * KIB) /* of another program, a probe */
#define DOCTOR_MESSAGE_BYTES         768
#define DOCTOR_SPACE_FAIL_BYTES      JOB_ARTIFACTS_MAX_BYTES /* less room than one job may fill */
#define DOCTOR_SPACE_WARN_BYTES      (10 * JOB_ARTIFACTS_MAX_BYTES)
#define DOCTOR_INODES_FAIL           1000
#define DOCTOR_INODES_WARN           10000
#define DOCTOR_YEAR_MIN              2025 /* a clock before this program was written is wrong */
#define DOCTOR_YEAR_MAX              2100
#define DOCTOR_CPU_TOLERANCE_PERCENT 150 /* of the quota that a probe may have used */
#define DOCTOR_FORKS_BEYOND          64  /* tried beyond the limit of processes */
#define ATTACK_MAX_COUNT             64
#define ATTACK_CODE_MAX_BYTES        (64 * KIB)
#define ATTACK_REPLY_MAX_BYTES       (16 * MIB)
#define ATTACK_START_MS              60000 /* for a slot and a container, beyond a job's time-out */
#define ATTACK_GONE_DEADLINE_MS      60000 /* for what a job used to be removed */

/* --- Metrics (store/metrics.h)
   ---------------------------------------------------------------------- */
#define METRICS_LAYOUT       2   /* part of the file's name: another layout is another file */
#define METRICS_ROW_BYTES    512 /* divides a page */
#define METRICS_ROW_COUNT    512 /* one of counters, the others of jobs by their labels */
#define METRICS_FAMILY_FIRST 'A'
#define METRICS_FAMILY_COUNT 5  /* the contract's; each has a row more, for what finds none left */
#define METRICS_BOUND_COUNT  14 /* of a histogram's buckets */
/* for who holds the file's lock to be done: microseconds, unless it is stopped */
#define METRICS_LOCK_DEADLINE_MS 2000
#define METRICS_TEXT_MAX_BYTES   (8 * MIB) /* of an exposition */
