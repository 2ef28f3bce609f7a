# Compiler, linker and hardening flags. Linked into our own targets only (dragonfly_options), so that
# generated code and other people's headers are built without our warnings.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Neither the folder of the build nor that of the sources counts: clones and build trees share hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
      CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# No line tables: they cost an eighth of the build. Function names stay; debug and asan have lines.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
set(CMAKE_CXX_FLAGS_ASAN "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_TSAN "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_FUZZ "-O1 -g1 -fno-omit-frame-pointer")

add_library(dragonfly_options INTERFACE)
target_include_directories(dragonfly_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(dragonfly_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wformat-security
  -Wold-style-cast -Woverloaded-virtual -Wnon-virtual-dtor -Wimplicit-fallthrough
  -Wno-mismatched-new-delete       # g++ 12 sees only one half of Asio's frame allocator inlined
  -Wno-missing-field-initializers  # g++ 12 takes designated initialisers for incomplete ones
  # g++ 12 sees overflows in std::string that are none (its bugs 105329, 105651); headers of the system hide
  # them, those that are precompiled do not.
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>"
  # Sources that are compiled together are included by one that is not theirs, so that g++ takes them for headers.
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${CMAKE_UNITY_BUILD}>>:-Wno-subobject-linkage>"
  $<$<BOOL:${DRAGONFLY_WERROR}>:-Werror>)

# Hardening, for every target. -ftrivial-auto-var-init=zero and _FORTIFY_SOURCE need optimisation or
# cost too much under the sanitizers, which do their work better.
add_compile_options(-pthread -fstack-protector-strong -fno-delete-null-pointer-checks -fno-strict-overflow
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-clash-protection -ftrivial-auto-var-init=zero -D_FORTIFY_SOURCE=3)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
    add_compile_options(-mbranch-protection=standard)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Asan")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "Tsan")
  # g++ warns that ThreadSanitizer does not see std::atomic_thread_fence; only Asio uses it, beside its locks.
  add_compile_options(-fsanitize=thread -Wno-tsan)
  add_link_options(-fsanitize=thread)
elseif(CMAKE_BUILD_TYPE STREQUAL "Fuzz")
  # Every module tells the fuzzer which branches were taken; only the targets have its main (tests/fuzz).
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
    -fsanitize-address-use-after-return=always)
  add_link_options(-fsanitize=address,undefined)
endif()
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
