// Arithmetic on vectors: the fused multiply-add and the square root, rounded once as IEEE 754 has it, so with the same
// bits on every machine.
//
// The compilers fuse nothing by themselves (-ffp-contract=off): what is fused is said here, and nowhere approximated.
#pragma once
#include <math.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
enum { REGISTER = 64 };  // bytes of the widest register
#elif defined(__AVX2__)
#include <immintrin.h>
enum { REGISTER = 32 };
#else
#ifdef __SSE2__
#include <emmintrin.h>
#endif
enum { REGISTER = 16 };
#endif
#ifdef __aarch64__
#include <arm_neon.h>
#endif

namespace {

// a * b + c for a processor without the instruction: a * b is exact in double, and their sum rounded to odd, so that
// rounding it once more, to float, gives the right number (Boldo & Melquiond 2008, "Emulation of FMA").
template <class Lanes>
__attribute__((noinline)) Lanes emulated(Lanes a, Lanes b, Lanes c) {
  constexpr int lanes = sizeof(Lanes) / sizeof(float);
  typedef double Wide __attribute__((vector_size(lanes * 8)));
  typedef long long Bits __attribute__((vector_size(lanes * 8)));
  const Wide product = __builtin_convertvector(a, Wide) * __builtin_convertvector(b, Wide);
  const Wide other = __builtin_convertvector(c, Wide);
  const Wide sum = product + other, part = sum - product;
  const Wide error = (product - (sum - part)) + (other - part);  // exact (Knuth's TwoSum); NaN where the sum is not finite
  const Bits inexact = (Bits)(error < 0) | (Bits)(error > 0);
  const Bits too_far = ((Bits)sum ^ (Bits)error) >> 63;  // -1: the sum was rounded away from zero
  const Bits odd = ((Bits)sum + (too_far & inexact)) | (inexact & 1);
  return __builtin_convertvector((Wide)odd, Lanes);
}

#if defined(__SSE2__) && !defined(__AVX2__)
// The same in half the time: rounding to double and then to float goes wrong only where the sum in double lies in the middle
// between two floats, or where floats are subnormal and have fewer bits.
inline __attribute__((always_inline)) __m128 emulated_sse2(__m128 a, __m128 b, __m128 c) {
  const __m128d first = _mm_cvtps_pd(a) * _mm_cvtps_pd(b) + _mm_cvtps_pd(c);
  const __m128d product = _mm_cvtps_pd(_mm_movehl_ps(a, a)) * _mm_cvtps_pd(_mm_movehl_ps(b, b));
  const __m128d second = product + _mm_cvtps_pd(_mm_movehl_ps(c, c));
  const __m128i low = (__m128i)_mm_shuffle_ps((__m128)first, (__m128)second, 0x88);
  __m128i high = (__m128i)_mm_shuffle_ps((__m128)first, (__m128)second, 0xdd);
  high = _mm_and_si128(high, _mm_set1_epi32(0x7fffffff));
  const __m128i middle = _mm_cmpeq_epi32(_mm_and_si128(low, _mm_set1_epi32(0x1fffffff)), _mm_set1_epi32(0x10000000));
  const __m128i subnormal = _mm_and_si128(
      _mm_cmpgt_epi32(high, _mm_setzero_si128()), _mm_cmpgt_epi32(_mm_set1_epi32((1023 - 126) << 20), high));
  if (__builtin_expect(_mm_movemask_epi8(_mm_or_si128(middle, subnormal)), 0)) return emulated(a, b, c);
  return _mm_movelh_ps(_mm_cvtpd_ps(first), _mm_cvtpd_ps(second));
}
#endif

// a * b + c, lane by lane; T is the type of a lane.
template <class T, class Lanes>
inline __attribute__((always_inline)) Lanes fused(Lanes a, Lanes b, Lanes c) {
  constexpr bool single = sizeof(T) == 4;
#if defined(__AVX512F__)
  if constexpr (sizeof(Lanes) == 64 && single) return (Lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  if constexpr (sizeof(Lanes) == 64 && !single) return (Lanes)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__)
  if constexpr (sizeof(Lanes) == 32 && single) return (Lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  if constexpr (sizeof(Lanes) == 32 && !single) return (Lanes)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
  if constexpr (sizeof(Lanes) == 16 && single) return (Lanes)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  if constexpr (sizeof(Lanes) == 16 && !single) return (Lanes)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
#if defined(__SSE2__)
  if constexpr (sizeof(Lanes) == 16 && single) return (Lanes)emulated_sse2((__m128)a, (__m128)b, (__m128)c);
#elif !defined(__FP_FAST_FMAF)
  if constexpr (sizeof(Lanes) == 16 && single) return emulated(a, b, c);
#endif
#endif
  if constexpr (sizeof(Lanes) > REGISTER) {  // doubles, which take two registers
    typedef T Half __attribute__((vector_size(sizeof(Lanes) / 2)));
    Half x[2], y[2], z[2];
    memcpy(x, &a, sizeof a), memcpy(y, &b, sizeof b), memcpy(z, &c, sizeof c);
    for (int i = 0; i < 2; i++) z[i] = fused<T>(x[i], y[i], z[i]);
    memcpy(&c, z, sizeof c);
  } else {
    for (int lane = 0; lane < (int)(sizeof(Lanes) / sizeof(T)); lane++)
      c[lane] = single ? (T)__builtin_fmaf((float)a[lane], (float)b[lane], (float)c[lane])
                       : (T)__builtin_fma((double)a[lane], (double)b[lane], (double)c[lane]);
  }
  return c;
}

template <class T, class Lanes>
inline Lanes square_root(Lanes numbers) {
  Lanes roots;
#pragma GCC unroll 16
  for (int lane = 0; lane < (int)(sizeof(Lanes) / sizeof(T)); lane++)
    roots[lane] = sizeof(T) == 4 ? (T)__builtin_sqrtf((float)numbers[lane]) : (T)__builtin_sqrt((double)numbers[lane]);
  return roots;
}

}  // namespace
