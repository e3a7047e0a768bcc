/* Memory of the caller, cut into aligned arrays. */

#include <stddef.h>

#include "kernel.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { REDZONE = 64 };  /* after every array, so that the sanitizer sees where one ends */
#else
enum { REDZONE = 0 };
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

void *take(Arena *arena, long bytes) {
    void *memory = arena->base ? arena->base + arena->used : NULL;
    arena->used += (bytes + 63) / 64 * 64 + REDZONE;
    if (!memory) return NULL;
    char *end = (char *)memory + bytes;
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    ASAN_POISON_MEMORY_REGION(end, arena->base + arena->used - end);
    (void)end;
    return memory;
}

float *take_floats(Arena *arena, long count) { return take(arena, count * (long)sizeof(float)); }
