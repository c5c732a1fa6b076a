// x86-64 with AVX-512: vectors of 16 lanes.
#define SET avx512
#define WIDTH 16
#include "kernel.h"
