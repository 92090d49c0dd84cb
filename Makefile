# mayfly: two commands do everything on a fresh Debian 12 machine: make run, make check.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
.SECONDARY:

# SAN=1 builds everything under AddressSanitizer and UBSan, in a folder of its own.
BUILD := $(if $(SAN),build-san,build)
VERSION := 0.1.0

# with the sanitizers as their manuals advise it, which is built in half the time
CFLAGS ?= $(if $(SAN),-O1,-O2) -g
# what the sanitizers add to a program makes gcc see texts cut that are not
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wconversion -Wno-sign-conversion $(if $(SAN),-Wno-format-truncation)
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -ffunction-sections -fdata-sections
comma := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -DMAYFLY_VERSION='"$(VERSION)"' -iquote src $(WARN) \
	$(if $(SAN),-fPIE,$(HARDEN)) $(SANFLAGS) $(CFLAGS)
LINK := -pie -Wl,-z,relro,-z,now,--gc-sections,--as-needed $(SANFLAGS) $(LDFLAGS)

# mayfly-engine and mayfly-init have rooms of their own; the others are one library.
ROOMS := base json http pages config auth store job server api api/* static ctl ctl/*
LIB_SRC := $(wildcard $(ROOMS:%=src/%/*.c))
ENGINE_SRC := $(wildcard src/engine/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB := $(BUILD)/libmayfly.a

PROGRAMS := $(patsubst src/prog/%.c,$(BUILD)/%,$(wildcard src/prog/*.c)) $(BUILD)/mayfly-init
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))

all: $(PROGRAMS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The pages are embedded by .incbin, which -MMD does not see.
$(call obj,$(wildcard src/pages/*.c)): $(wildcard src/pages/*.html src/pages/*.css src/pages/*.js src/pages/*.svg)
$(call obj,src/static/openapi.c): src/static/openapi.json

$(LIB): $(call obj,$(LIB_SRC))
	@rm -f $@
	@echo "  AR   $@"
	@$(AR) qcsD $@ $^

$(BUILD)/mayfly-engine: $(call obj,src/prog/mayfly-engine.c $(ENGINE_SRC)) $(LIB)
	@echo "  LINK $@"
	@$(CC) -o $@ $^ $(LINK) -lcurl -ljansson

# PID 1 of every container: static, so that any image will do, and never under sanitizers, which need a dynamic loader.
INIT_SRC := $(wildcard src/init/*.c src/base/*.c)
$(BUILD)/mayfly-init: $(INIT_SRC) $(wildcard src/init/*.h src/base/*.h) src/protocol/control.h src/bounds.h
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(filter-out -fPIE -fPIC -fsanitize% -fno-sanitize% address%,$(ALL_CFLAGS)) -fno-pie -static -no-pie \
		-o $@ $(INIT_SRC) -Wl,--gc-sections

# What starts for every connection is linked statically where the archives are there: half the memory, and no loader on the way.
HOT := $(BUILD)/mayfly $(BUILD)/mayfly-static
HAS_ARCHIVES := $(shell printf 'int main(void){return 0;}' | $(CC) -xc - -static-pie -o /dev/null -ljansson 2>/dev/null && echo yes)
$(HOT): STATIC := $(if $(SAN),,$(if $(HAS_ARCHIVES),-static-pie))
$(BUILD)/%: $(BUILD)/src/prog/%.o $(LIB)
	@echo "  LINK $@"
	@$(CC) -o $@ $^ $(LINK) $(STATIC) -ljansson

$(BUILD)/tests/%: tests/unit/%.c tests/unit/tap.h $(LIB)
	@mkdir -p $(@D)
	@echo "  TEST $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $< $(filter %.o,$^) $(LIB) $(LINK) -ljansson

# Those of init are linked with its parts.
$(filter $(BUILD)/tests/test_init%,$(UNIT_TESTS)): $(call obj,$(filter-out src/init/init.c,$(wildcard src/init/*.c)))

FUZZ_REPLAY := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_[!m]*.c))
$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz_main.c $(wildcard tests/fuzz/*.h) $(LIB)
	@mkdir -p $(@D)
	@echo "  FUZZ $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $< tests/fuzz/fuzz_main.c $(LIB) $(LINK) -ljansson

# The Python SDK, one pure wheel.
sdk:
	@mkdir -p $(BUILD)
	@rm -f $(BUILD)/mayfly_sandbox-*.whl
	@scripts/sdk/python/backend.py $(BUILD)

tests-build: all $(UNIT_TESTS) $(FUZZ_REPLAY)

# --- the two commands -------------------------------------------------------------------------------------------

run:
	@scripts/setup build run
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@scripts/run

# Images of templates (worker/templates.d) that have more than the worker image has; CHECK_TEMPLATES are those that check uses.
CHECK_TEMPLATES := node-basic python-data compiled-c
TEMPLATES ?= $(CHECK_TEMPLATES) python-ml python-nlp python-web python-web-browser compiled agent-browser
templates: $(BUILD)/mayflyctl
	@MAYFLY_RUN_DIR=/run/mayfly-none MAYFLY_DATA_DIR=$(CURDIR)/worker $(BUILD)/mayflyctl template build $(TEMPLATES)

# Every test there is that needs no host of its own, once everything that they use is made: what has
# to be made is made side by side. One list of programs goes to tests/run, whose last line counts
# them all.
BESIDE := -j$(shell expr "$$(nproc)" + 1)
check:
	@scripts/setup build run check docker
	@$(MAKE) --no-print-directory $(BESIDE) tests-build tests-build-san images lint
	@tests/run $(UNIT_TESTS) $(FUZZ_REPLAY) $(patsubst $(BUILD)/%,build-san/%,$(UNIT_TESTS) $(FUZZ_REPLAY)) \
		$(sort $(wildcard tests/*/test_*.py))

tests-build-san:
	@$(MAKE) --no-print-directory SAN=1 tests-build

# The images that tests run jobs in.
images: $(BUILD)/mayflyctl
	@scripts/build-worker
	@scripts/build-image documents
	@$(MAKE) --no-print-directory templates TEMPLATES="$(CHECK_TEMPLATES)"

# The images of the other templates, and what programs find in them. Not part of check: gigabytes and minutes.
check-templates:
	@scripts/setup build run check
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@$(MAKE) --no-print-directory templates
	@tests/run $(sort $(wildcard tests/templates/templates_*.py))

# The same tests over HTTP with every program of ours under AddressSanitizer and UBSan. Leaks are looked for in the unit tests: a
# confined program may not read what the leak checker needs.
check-san:
	@scripts/setup build run check
	@$(MAKE) --no-print-directory $(BESIDE) tests-build-san images
	@MAYFLY_BUILD=build-san ASAN_OPTIONS=detect_leaks=0 tests/run $(sort $(wildcard tests/api/test_*.py tests/attack/test_*.py tests/pages/test_*.py))

# The suites that speak of the engine, against Docker in Podman's place. The daemon and its images stay for the next time:
# scripts/docker-service stop --purge takes them away.
check-docker:
	@scripts/setup build run check docker
	@$(MAKE) --no-print-directory $(BESIDE) tests-build images
	@scripts/docker-service start aa-worker mayfly-documents $(addprefix mayfly-,$(CHECK_TEMPLATES)) >/dev/null
	@MAYFLY_ENGINE=docker tests/run $(sort $(wildcard tests/api/test_*.py tests/attack/test_*.py tests/kernels/test_*.py))

# An hour of what test_schema.py tries for seconds: requests made from the API's description.
check-schema:
	@scripts/setup build run check
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@MAYFLY_SCHEMA_S=3600 tests/run tests/api/test_schema.py

# Installed under systemd on a Debian host of its own, in a virtual machine: tests/host/vm.py says
# what is cached where. Not part of check: minutes, and a first run that fetches packages.
check-host:
	@scripts/setup build run host
	@$(MAKE) --no-print-directory all $(BUILD)/tests/test_confine
	@scripts/build-worker
	@tests/run $(sort $(wildcard tests/host/host_*.py))

# The service itself in containers (worker/service) beside this host's Podman. Not part of check: the image takes minutes.
check-container:
	@scripts/setup build run container
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@scripts/build-service
	@tests/run $(sort $(wildcard tests/container/container_*.py))

# clang-tidy takes seconds for each file, so a file that is as it was, with all that it includes, is not looked at again.
C_FILES := $(wildcard src/*.h src/*/*.[ch] src/*/*/*.[ch] tests/unit/*.[ch] tests/unit/*/*.[ch] tests/fuzz/*.[ch])
SHELL_FILES := $(filter-out scripts/check-layers scripts/lock-template scripts/sdk scripts/docker-build scripts/man scripts/debian,$(wildcard scripts/[a-z]*)) \
	scripts/docker-build/podman scripts/debian/mayfly.prerm scripts/debian/mayfly.postrm tests/host/image tests/host/customize \
	worker/template/install worker/service/serve .ci/run
TIDY := $(patsubst %.c,$(BUILD)/%.tidy,$(wildcard src/*/*.c src/*/*/*.c))
lint: lint-layers lint-format lint-shell lint-cppcheck $(TIDY)
lint-layers: all $(call obj,$(wildcard src/init/*.c))
	@scripts/check-layers $(BUILD)/src
lint-format:
	@clang-format --dry-run -Werror $(C_FILES)
lint-shell:
	@shellcheck $(SHELL_FILES)
# ctuuninitvar takes what a function fills, T *out, for something that it reads; clang-tidy looks for the same.
lint-cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=ctuuninitvar -D_GNU_SOURCE '-Djson_object_foreach(o,k,v)=while (next(o, &k, &v))' \
		'-Djson_array_foreach(a,i,v)=while (next(a, &i, &v))' -Isrc src
$(BUILD)/%.tidy: %.c $(BUILD)/%.o .clang-tidy
	@echo "  TIDY $<"
	@clang-tidy --quiet $< -- -std=gnu17 -D_GNU_SOURCE -DMAYFLY_VERSION='"lint"' -iquote src \
		2>&1 | { grep -vE 'warnings? generated|^$$' || true; }
	@touch $@

# Each fuzz target for FUZZ_SECONDS, under libFuzzer and the sanitizers, growing its corpus in build-fuzz.
FUZZ_SECONDS ?= 60
fuzz:
	@scripts/setup build fuzz
	@mkdir -p build-fuzz
	@for target in $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_[!m]*.c)); do \
		clang -std=gnu17 -D_GNU_SOURCE -DMAYFLY_VERSION='"fuzz"' -iquote src -O1 -g -fsanitize=fuzzer,address,undefined \
			-o build-fuzz/$$target tests/fuzz/$$target.c $(LIB_SRC) -ljansson; \
		mkdir -p build-fuzz/corpus/$${target#fuzz_}; \
		build-fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			build-fuzz/corpus/$${target#fuzz_} tests/fuzz/corpus/$${target#fuzz_}; \
	done

bench:
	@scripts/setup build run bench
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@$(MAKE) --no-print-directory templates TEMPLATES=python-data
	@/usr/bin/python3 tests/bench/bench.py

# What systemd's activation of each connection costs, natively: a Debian tree of its own under systemd-nspawn, as root.
bench-activation:
	@scripts/setup build run bench
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@/usr/bin/python3 tests/bench/activation.py

soak:
	@scripts/setup build run bench
	@$(MAKE) --no-print-directory all
	@scripts/build-worker
	@/usr/bin/python3 tests/bench/soak.py
	@/usr/bin/python3 tests/bench/soak_keys.py

image:
	@scripts/setup run
	@scripts/build-worker

# A Debian package in build/deb: sudo apt install ./build/deb/mayfly_*.deb
deb:
	@scripts/setup build deb
	@scripts/build-deb $(VERSION)

install uninstall: all
	@BUILD=$(BUILD) scripts/install $@

clean:
	rm -rf $(BUILD)

.PHONY: all run images templates sdk check check-san check-docker check-schema check-templates check-host check-container lint lint-layers lint-format lint-shell lint-cppcheck fuzz bench \
	bench-activation soak image deb install uninstall clean tests-build tests-build-san
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
