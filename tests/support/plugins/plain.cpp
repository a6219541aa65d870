// A library that is no module.
extern "C" int jackfield_plain() { return 1; }
