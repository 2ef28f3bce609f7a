# Two precompiled headers, of other people's headers only: one for modules, one for tests. Each saves a
# second a source. What they hide, an include of std or Abseil that is missing, shows in the debug and asan
# builds, whose modules have none.
set(DRAGONFLY_COMMON_HEADERS
  <absl/status/status.h> <absl/status/statusor.h> <absl/time/clock.h> <absl/time/time.h>
  <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <functional> <map> <memory> <mutex>
  <optional> <span> <string> <string_view> <thread> <utility> <variant> <vector>)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_library(modules_precompiled OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cc)
  target_link_libraries(modules_precompiled PRIVATE absl::statusor absl::time dragonfly_options)
  target_precompile_headers(modules_precompiled PRIVATE ${DRAGONFLY_COMMON_HEADERS})
  # What is tested is optimised; the tests themselves need not be, and compile in two thirds of the time.
  set(DRAGONFLY_TEST_OPTIONS -O0 -U_FORTIFY_SOURCE)
endif()

if(DRAGONFLY_TESTS)
  # A program, because the flags of programs and of libraries differ.
  add_executable(tests_precompiled ${CMAKE_CURRENT_LIST_DIR}/precompiled.cc)
  target_link_libraries(tests_precompiled PRIVATE GTest::gtest absl::statusor absl::time dragonfly_options)
  target_compile_options(tests_precompiled PRIVATE ${DRAGONFLY_TEST_OPTIONS})
  target_precompile_headers(tests_precompiled PRIVATE
    <gtest/gtest.h> ${DRAGONFLY_COMMON_HEADERS} <filesystem> <fstream> <future> <set>)
endif()
