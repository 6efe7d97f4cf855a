/* A program that does nothing but say how much memory it has resident. */
#include <stdio.h>

#include "resident.h"

int main(void) {
    printf("%ld\n", resident_kb());
    return 0;
}
