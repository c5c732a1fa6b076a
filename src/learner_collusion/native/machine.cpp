// The choice of the instruction set.
#include "machine.h"

static int supported() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
  return PORTABLE;
}

int instruction_set(int wanted) {
  const int best = supported();
  if (wanted > 0) return wanted < best ? wanted : best;
#if defined(__x86_64__)
  // Zen 4 does 512 bits in two halves: blocks of 8 lanes are as fast there, and leave fewer lanes empty.
  if (best == AVX512 && __builtin_cpu_is("amdfam19h")) return AVX2;
#endif
  return best;
}

// The instruction set that is used where one is wanted, or 0 for that which suits this machine best: 1 portable, 2 AVX2 with
// FMA, 3 AVX-512.
extern "C" int collusion_instruction_set(int wanted) { return instruction_set(wanted); }
