// SPDX-License-Identifier: MIT
// What is in the vector registers, where copying leaves what it copied.
#ifndef PAIRPORT_TESTS_SUPPORT_VECTOR_REGISTERS_H_
#define PAIRPORT_TESTS_SUPPORT_VECTOR_REGISTERS_H_

#include <string_view>

namespace pairport::testing {

// To be called at once: any call of the library of C may overwrite them. A view of static storage; empty on a processor
// that this function does not know.
[[gnu::noinline]] inline std::string_view vector_registers() {
#if defined(__x86_64__)
  alignas(64) static char bytes[32 * 64];
  if (!__builtin_cpu_supports("avx")) return {};
  asm volatile(
      "vmovdqu %%ymm0, (%0); vmovdqu %%ymm1, 64(%0); vmovdqu %%ymm2, 128(%0); vmovdqu %%ymm3, 192(%0);"
      "vmovdqu %%ymm4, 256(%0); vmovdqu %%ymm5, 320(%0); vmovdqu %%ymm6, 384(%0); vmovdqu %%ymm7, 448(%0);"
      "vmovdqu %%ymm8, 512(%0); vmovdqu %%ymm9, 576(%0); vmovdqu %%ymm10, 640(%0); vmovdqu %%ymm11, 704(%0);"
      "vmovdqu %%ymm12, 768(%0); vmovdqu %%ymm13, 832(%0); vmovdqu %%ymm14, 896(%0); vmovdqu %%ymm15, 960(%0)" ::"r"(
          bytes)
      : "memory");
  if (__builtin_cpu_supports("avx512vl")) {
    asm volatile(
        "vmovdqu64 %%zmm16, 1024(%0); vmovdqu64 %%zmm17, 1088(%0); vmovdqu64 %%zmm18, 1152(%0);"
        "vmovdqu64 %%zmm19, 1216(%0); vmovdqu64 %%zmm20, 1280(%0); vmovdqu64 %%zmm21, 1344(%0);"
        "vmovdqu64 %%zmm22, 1408(%0); vmovdqu64 %%zmm23, 1472(%0); vmovdqu64 %%zmm24, 1536(%0);"
        "vmovdqu64 %%zmm25, 1600(%0); vmovdqu64 %%zmm26, 1664(%0); vmovdqu64 %%zmm27, 1728(%0);"
        "vmovdqu64 %%zmm28, 1792(%0); vmovdqu64 %%zmm29, 1856(%0); vmovdqu64 %%zmm30, 1920(%0);"
        "vmovdqu64 %%zmm31, 1984(%0)" ::"r"(bytes)
        : "memory");
  }
  return {bytes, sizeof(bytes)};
#else
  return {};
#endif
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_VECTOR_REGISTERS_H_
