# Debian 12 packages; deploy/setup.sh installs them. Nothing is downloaded by the build.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Protobuf REQUIRED)
# Left by pkg_check_modules(re2) below, it would keep gRPC from looking at the second configuration.
unset(re2_FOUND CACHE)
find_package(gRPC CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
pkg_check_modules(isal REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(libcrypt REQUIRED IMPORTED_TARGET libcrypt)
# Only its parser and its formatter; 0.14 has no TLS of its own. Not by pkg-config, which adds a definition that
# precompiled headers do not have.
find_library(HIREDIS_LIBRARY hiredis REQUIRED)
find_path(HIREDIS_INCLUDE_DIR hiredis/hiredis.h REQUIRED)
add_library(Hiredis::hiredis UNKNOWN IMPORTED)
set_target_properties(Hiredis::hiredis PROPERTIES
  IMPORTED_LOCATION ${HIREDIS_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${HIREDIS_INCLUDE_DIR})
# Connector/C++ ships neither a package configuration nor a pkg-config file.
find_library(MYSQLCPPCONN_LIBRARY mysqlcppconn REQUIRED)
find_path(MYSQLCPPCONN_INCLUDE_DIR mysql_connection.h REQUIRED)
add_library(MySQL::connector UNKNOWN IMPORTED)
set_target_properties(MySQL::connector PROPERTIES
  IMPORTED_LOCATION ${MYSQLCPPCONN_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${MYSQLCPPCONN_INCLUDE_DIR})
if(DRAGONFLY_TESTS)
  find_package(GTest REQUIRED)
endif()

# Boost.Asio and Beast, as common/async and common/http use them: header only, no deprecated parts.
add_library(dragonfly_asio INTERFACE)
target_link_libraries(dragonfly_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(dragonfly_asio INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_HANDLER_TYPE_REQUIREMENTS
  # Asio 1.74 does not know that clang 16 has coroutines (fuzz targets).
  $<$<CXX_COMPILER_ID:Clang>:BOOST_ASIO_HAS_CO_AWAIT=1>)
# At -O1 g++ 12 sees Asio's frame allocator half inlined and takes its new and delete for a mismatch.
target_compile_options(dragonfly_asio INTERFACE -Wno-mismatched-new-delete)
