// Chooses the table of kernels for the CPU at hand.
#include <array>
#include <cstdlib>
#include <string_view>

#include "base/assert.h"
#include "simd/kernels.h"
#include "simd/tables.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace asyncstore::simd {
namespace {

#if defined(__x86_64__)
// Not by __builtin_cpu_supports, which does not know the name in Clang 14. That the operating
// system saves the registers follows from AVX2.
bool has_f16c() {
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

class Supported {
 public:
  // The answers of __builtin_cpu_supports include whether the operating system saves the registers.
  Supported() {
    add(k_scalar_kernels);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") != 0 && has_f16c()) {
      add(k_avx2_kernels);
    }
    if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
        __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0) {
      add(k_avx512_kernels);
      if (__builtin_cpu_supports("avx512vnni") != 0) {
        add(k_avx512_vnni_kernels);
      }
    }
#elif defined(__aarch64__)
    add(k_neon_kernels);
#endif
  }

  std::span<const Kernels* const> tables() const { return {tables_.data(), count_}; }

 private:
  void add(const Kernels& table) {
    ASSERT(count_ < tables_.size());
    tables_[count_++] = &table;
  }

  std::array<const Kernels*, 4> tables_{};
  size_t count_ = 0;
};

const Kernels& choose() {
  const std::span<const Kernels* const> tables = supported_kernels();
  if (const char* wanted = std::getenv("ASYNCSTORE_ISA"); wanted != nullptr) {
    for (const Kernels* table : tables) {
      if (std::string_view(wanted) == name(table->isa)) {
        return *table;
      }
    }
  }
  return *tables.back();
}

}  // namespace

const char* name(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_vnni:
      return "avx512_vnni";
    case Isa::neon:
      return "neon";
  }
  ASSERT(false && "an Isa outside its enumerators");
}

std::span<const Kernels* const> supported_kernels() {
  static const Supported k_supported;
  return k_supported.tables();
}

const Kernels& kernels() {
  static const Kernels& k_chosen = choose();
  return k_chosen;
}

}  // namespace asyncstore::simd
