// x86-64 with AVX-512: 32 registers of 16 floats, 24 of them accumulators.
#define SET avx512
#define WIDTH 16
#define TILE_ROWS 8
#include "kernel.h"
