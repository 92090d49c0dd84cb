/* The refusal of a request that memory does not suffice for (base/memory.h, rule 1). */
#ifndef MAYFLY_SERVER_OUT_OF_MEMORY_H
#define MAYFLY_SERVER_OUT_OF_MEMORY_H

/* From now on the process ends when memory is out. Where no reply has begun on connection (not
   owned), a 503 "out_of_memory" is written first, from static bytes. The kernel closes what is
   open: the engine then removes the container, and what was not renamed into place was never there.
 */
void server_end_when_out_of_memory(int connection);

#endif
