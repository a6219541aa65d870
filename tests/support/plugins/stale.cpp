// A module as another engine's build would have made it.
#include <jackfield/module.h>

extern "C" __attribute__((visibility("default"))) const jackfield::ModuleDescriptor jackfield_module;
extern "C" const jackfield::ModuleDescriptor jackfield_module{
    .abi = "headers-of-last-year", .name = "stale", .summary = "", .requires_modules = {}, .keys = nullptr, .create = nullptr};
