// x86-64 with AVX2 and FMA: 16 registers of 8 floats, 12 of them accumulators.
#define SET avx2
#define WIDTH 8
#define TILE_ROWS 4
#include "kernel.h"
