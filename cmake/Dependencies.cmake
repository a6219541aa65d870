# Every library has one home (a target that links it); these are the vocabulary all may use.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(inih REQUIRED IMPORTED_TARGET inih)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)
find_package(doctest QUIET)

add_library(jackfield_vocabulary INTERFACE)
target_link_libraries(jackfield_vocabulary INTERFACE Boost::headers fmt::fmt tl::expected Threads::Threads)
target_compile_definitions(jackfield_vocabulary INTERFACE BOOST_ASIO_NO_DEPRECATED)
# Coroutine frames and handlers from malloc: glibc's aligned_alloc knows no cache of its own and costs several times as much.
target_compile_definitions(jackfield_vocabulary INTERFACE BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC BOOST_ASIO_DISABLE_BOOST_ALIGN)
