# What every target of ours is built with, and the three kinds of targets: library of modules/lib, module, unit test.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET default)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(jackfield_flags INTERFACE)
target_compile_options(jackfield_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
# Nobody replaces our functions at load time; without this a module calls its own through the linkage table and inlines none.
target_compile_options(jackfield_flags INTERFACE -fno-semantic-interposition)
set(JACKFIELD_SANITIZE "" CACHE STRING "address,undefined or thread")
if(JACKFIELD_SANITIZE)
  target_compile_options(jackfield_flags INTERFACE -fsanitize=${JACKFIELD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(jackfield_flags INTERFACE -fsanitize=${JACKFIELD_SANITIZE})
  if(JACKFIELD_SANITIZE MATCHES thread)
    target_compile_options(jackfield_flags INTERFACE -Wno-tsan)
  endif()
endif()

# jackfield_library(NAME [LINK …]): modules/lib/NAME, every .cpp in its folder. No I/O, no threads, no state.
function(jackfield_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  add_library(jackfield_lib_${name} STATIC ${sources})
  target_include_directories(jackfield_lib_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(jackfield_lib_${name} PUBLIC jackfield_vocabulary PRIVATE jackfield_flags ${arg_LINK})
endfunction()

# The program and its modules, without any test: what scripts/run builds.
add_custom_target(server)

# jackfield_module(NAME [LINK …]): modules/NAME, every .cpp below it. It sees jackfield/, modules/lib and its own folder only.
function(jackfield_module name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  # The logic is an object library so that unit tests link it without loading the plugin.
  add_library(jackfield_module_${name}_objects OBJECT ${sources})
  target_include_directories(jackfield_module_${name}_objects PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  target_link_libraries(jackfield_module_${name}_objects PUBLIC jackfield_api ${arg_LINK} PRIVATE jackfield_flags)
  add_library(jackfield_module_${name} MODULE $<TARGET_OBJECTS:jackfield_module_${name}_objects>)
  target_link_libraries(jackfield_module_${name} PRIVATE jackfield_api ${arg_LINK} jackfield_flags)
  # A module's own functions are called directly, not by way of the linkage table.
  target_link_options(jackfield_module_${name} PRIVATE -Wl,-Bsymbolic-functions)
  set_target_properties(jackfield_module_${name} PROPERTIES OUTPUT_NAME ${name} PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/jackfield/modules)
  add_dependencies(server jackfield_module_${name})
  install(TARGETS jackfield_module_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/jackfield/modules)
endfunction()
