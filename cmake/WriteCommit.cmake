# Writes the commit that SOURCE is at into FILE, and only when it is another than FILE says: what is made of FILE is made anew with each commit
# and with no other build.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git rev-parse --short HEAD WORKING_DIRECTORY ${SOURCE}
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${FILE} CONTENT "#include \"lifecycle/version.h\"\n\nconst char* jackfield::commit() { return \"@commit@\"; }\n" @ONLY)
