# mayfly: two commands do everything on a fresh Debian 12 machine: make run, make check.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
.SECONDARY:

# SAN=1 builds everything under AddressSanitizer and UBSan, in a folder of its own.
BUILD := $(if $(SAN),build-san,build)
VERSION := 0.1.0

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wconversion -Wno-sign-conversion
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -ffunction-sections -fdata-sections
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
comma := ,
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -DMAYFLY_VERSION='"$(VERSION)"' -iquote src $(WARN) \
	$(if $(SAN),-fPIE,$(HARDEN)) $(SANFLAGS) $(CFLAGS)
LINK := -pie -Wl,-z,relro,-z,now,--gc-sections,--as-needed $(SANFLAGS) $(LDFLAGS)

LIB_SRC := $(wildcard src/base/*.c src/http/*.c src/json/*.c src/job/*.c src/api/*.c src/pages/*.c)
ENGINE_SRC := $(wildcard src/engine/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB := $(BUILD)/libmayfly.a

PROGRAMS := $(patsubst src/prog/%.c,$(BUILD)/%,$(wildcard src/prog/*.c)) $(BUILD)/mayfly-init
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(PROGRAMS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The pages are embedded by .incbin, which -MMD does not see.
$(call obj,$(wildcard src/pages/*.c)): $(wildcard src/pages/*.html src/pages/*.css src/pages/*.js)

$(LIB): $(call obj,$(LIB_SRC))
	@rm -f $@
	@echo "  AR   $@"
	@$(AR) rcsD $@ $^

$(BUILD)/mayfly-engine: $(call obj,src/prog/mayfly-engine.c $(ENGINE_SRC)) $(LIB)
	@echo "  LINK $@"
	@$(CC) -o $@ $^ $(LINK) -lcurl -ljansson

# PID 1 of every container: static, so that any image will do, and never under sanitizers, which need a dynamic loader.
INIT_SRC := $(wildcard worker/init*.c src/base/*.c)
$(BUILD)/mayfly-init: $(INIT_SRC) $(wildcard worker/init*.h src/base/*.h src/job/control.h) src/limits.h
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(filter-out -fPIE -fPIC -fsanitize% -fno-sanitize% address%,$(ALL_CFLAGS)) -fno-pie -static -no-pie \
		-o $@ $(INIT_SRC) -Wl,--gc-sections

$(BUILD)/%: $(BUILD)/src/prog/%.o $(LIB)
	@echo "  LINK $@"
	@$(CC) -o $@ $^ $(LINK) -ljansson

$(BUILD)/tests/%: tests/unit/%.c tests/unit/tap.h $(LIB)
	@mkdir -p $(@D)
	@echo "  TEST $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $< $(LIB) $(LINK) -ljansson

tests-build: all $(UNIT_TESTS)

clean:
	rm -rf build build-san

.PHONY: all clean tests-build
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
