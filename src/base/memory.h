/*
 * Memory that is not there.
 *
 * Rules:
 *  1. A program that serves one request owns nothing that the kernel does not give back. It says
 *     so with memory_end_when_out, and from then on an allocation that fails ends the process:
 *     nothing there handles such a failure.
 *  2. mayfly-init and mayfly-engine do not say so: there an allocation fails as malloc(3) does.
 *  3. A caller passes the result of each allocation through memory_checked.
 */
#pragma once

#include <stddef.h>

/* The process ends (EX_OSERR) when memory is out, after last_words, which allocates nothing;
   NULL: without any. */
void memory_end_when_out(void (*last_words)(void));

/* block, or with rule 1 no return when it is NULL. */
void *memory_checked(void *block);

/* calloc(3) and strndup(3) with rule 1. The caller frees; NULL only with rule 2. */
void *memory_array(size_t count, size_t size_bytes);
char *memory_text(const char *text, size_t len);
