#include "settings.h"

namespace jackfield::callfork {
namespace {

constexpr Key kGeneralKeys[] = {
    {.name = kSilence, .type = KeyType::milliseconds, .fallback = "4000", .unit = "ms",
     .doc = "How long a phone that has sent nothing at all may hold up the refusal of those that did; they are then told to the caller without it.",
     .min = 10, .max = 180000},
};

constexpr Section kSections[] = {{.name = kGeneral, .doc = "", .keys = kGeneralKeys}};

}  // namespace

const KeyTable kKeys{.name = "callfork", .doc = "Calls to several targets at once: the first answer wins.", .sections = kSections};

}  // namespace jackfield::callfork
