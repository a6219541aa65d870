// A library that needs what nobody has.
extern "C" int jackfield_nobody_defines_this();
extern "C" int jackfield_unresolved() { return jackfield_nobody_defines_this(); }
