# df_module(NAME [COLD] [DEPS target...]): the static library of this folder, from every *.cc in it except
# main.cc. NAME is the path with underscores. Tests live elsewhere (tests/unit/NAME). COLD: what it does waits for people,
# disks or databases, or is done once; compiled with -O1, which takes a quarter less time.
function(df_module name)
  cmake_parse_arguments(arg "COLD" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE dragonfly_options)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    if(arg_COLD AND CMAKE_BUILD_TYPE STREQUAL "Release")
      target_compile_options(${name} PRIVATE -O1)
    endif()
    if(TARGET modules_precompiled)
      target_precompile_headers(${name} REUSE_FROM modules_precompiled)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_DEPS})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

# df_binary(NAME [DEPS target...]): the program built from this folder's main.cc.
function(df_binary name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  add_executable(${name} ${CMAKE_CURRENT_SOURCE_DIR}/main.cc)
  target_link_libraries(${name} PRIVATE ${arg_DEPS} dragonfly_options)
endfunction()

if(CMAKE_BUILD_TYPE STREQUAL "Tsan")
  add_custom_target(tsan_tests)
endif()

# df_test(NAME [TSAN [TSAN_WITHOUT pattern]] [DEPS target...]): one GoogleTest program from every *.cc of this folder. Its results
# go to build/.../test-results/NAME.json, which tests/run.sh reads. TSAN: it uses no gRPC, whose library tells
# ThreadSanitizer of hundreds of races that are none, so tests/run.sh --tsan runs it. TSAN_WITHOUT: tests (as
# --gtest_filter names them) that have one thread or repeat others, and would take minutes there.
function(df_test name)
  cmake_parse_arguments(arg "TSAN" "TIMEOUT;TSAN_WITHOUT" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gtest GTest::gtest_main dragonfly_options)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${DRAGONFLY_TEST_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM tests_precompiled)
  add_test(NAME ${name}
    COMMAND ${name} --gtest_output=json:${PROJECT_BINARY_DIR}/test-results/${name}.json)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/tests OUTPUT_VARIABLE label)
  string(REGEX REPLACE "/.*" "" label "${label}")
  set(environment "DRAGONFLY_SOURCE_DIR=${PROJECT_SOURCE_DIR};DRAGONFLY_BIN_DIR=${PROJECT_BINARY_DIR}/bin")
  if(arg_TSAN)
    list(APPEND label tsan)
    if(CMAKE_BUILD_TYPE STREQUAL "Tsan")
      # A race ends the program with 66 after all tests have run; the first one found is not the only one.
      list(APPEND environment
        "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan/suppressions.txt:second_deadlock_stack=1")
      if(arg_TSAN_WITHOUT)
        list(APPEND environment "GTEST_FILTER=-${arg_TSAN_WITHOUT}")
      endif()
      math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * 3")
      add_dependencies(tsan_tests ${name})
    endif()
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${label}" ENVIRONMENT "${environment}")
endfunction()

# df_subdirectories(): every folder below this one that has a CMakeLists.txt.
macro(df_subdirectories)
  file(GLOB df_children CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(df_child IN LISTS df_children)
    cmake_path(GET df_child PARENT_PATH df_child_dir)
    add_subdirectory(${df_child_dir})
  endforeach()
endmacro()

# df_e2e(NAME [TIMEOUT seconds]): NAME.py of this folder, a unittest program that starts our binaries.
function(df_e2e name)
  cmake_parse_arguments(arg "" "TIMEOUT" "" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME e2e_${name}
    COMMAND python3 ${PROJECT_SOURCE_DIR}/tests/e2e/lib/run.py
      ${CMAKE_CURRENT_SOURCE_DIR}/${name}.py --json ${PROJECT_BINARY_DIR}/test-results/e2e_${name}.json)
  set_tests_properties(e2e_${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS e2e RUN_SERIAL TRUE
    ENVIRONMENT "DRAGONFLY_SOURCE_DIR=${PROJECT_SOURCE_DIR};DRAGONFLY_BIN_DIR=${PROJECT_BINARY_DIR}/bin")
endfunction()
