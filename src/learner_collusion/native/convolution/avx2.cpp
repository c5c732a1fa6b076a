// x86-64 with AVX2 and FMA: vectors of 8 lanes.
#define SET avx2
#define WIDTH 8
#include "kernel.h"
