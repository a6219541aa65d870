#include "main/places.h"

#ifndef JACKFIELD_LIBDIR
#define JACKFIELD_LIBDIR "lib"
#endif

namespace jackfield {

namespace fs = std::filesystem;

Places default_places() {
  const fs::path prefix = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  Places places;
  places.config_dir = prefix / "etc/jackfield/conf.d";
  places.default_module_dirs = {prefix / JACKFIELD_LIBDIR / "jackfield/modules"};
  places.share_dir = prefix / "share/jackfield";
  places.default_state_dir = prefix / "var/lib/jackfield";
  return places;
}

}  // namespace jackfield
