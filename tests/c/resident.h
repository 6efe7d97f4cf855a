/* The resident memory of this process, in kB, counted page by page; -1 where the system does not tell. */
#ifndef RESIDENT_H
#define RESIDENT_H

#include <stdio.h>

static long resident_kb(void) {
    char line[256];
    long kb = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file) return -1;
    while (kb < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %ld kB", &kb) != 1) kb = -1;
    fclose(file);
    return kb;
}

#endif
