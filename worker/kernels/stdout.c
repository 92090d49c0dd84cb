/*
 * Compiled into C and C++ programs (languages.d), so that what they print is printed at once: a
 * pipe's stdio keeps 4 KiB back, which are lost when the program is killed. std::cout prints
 * through stdio.
 */
#include <stdio.h>

__attribute__((constructor)) static void unbuffer(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
}
