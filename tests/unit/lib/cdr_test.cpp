#include "cdr/printer.h"
#include "cdr/request.h"

#include <doctest/doctest.h>

#include <array>

using namespace jackfield::cdr;

namespace {

tl::expected<Request, std::string> parse(std::vector<std::string> words) { return parse_request(words); }

constexpr auto kColumns = std::to_array<std::string_view>({"time", "caller", "billtime", "status"});
using Cells = std::array<std::string, 4>;

std::string printed(Format format, const std::vector<Cells>& records) {
  Printer printer(format, kColumns);
  auto text = printer.head();
  for (const auto& cells : records) text += printer.record(cells);
  return text + printer.foot();
}

}  // namespace

TEST_CASE("a time is a day or a moment of ISO 8601, UTC unless it says another offset") {
  CHECK(parse_time("1970-01-02") == 86'400'000);
  CHECK(parse_time("2026-11-20T21:00") == 1'795'208'400'000);
  CHECK(parse_time("2026-11-20 21:00:05.25Z") == 1'795'208'405'250);
  CHECK(parse_time("2026-11-20T22:00:00+01:00") == 1'795'208'400'000);
  CHECK(parse_time("2026-11-20T19:30:00-0130") == 1'795'208'400'000);
  CHECK(parse_time("2024-02-29").has_value());
  for (const auto* wrong : {"", "now", "2026-13-01", "2026-02-29", "2026-11-20T", "2026-11-20T24:00", "2026-11-20T21:00:60", "2026-11-20T21:00:00.",
                            "2026-11-20T21:00x", "2026-11-20Z", "2026-11-20T21:00+1", "20-11-2026"})
    CHECK_MESSAGE(!parse_time(wrong), wrong);
}

TEST_CASE("a record's seconds become milliseconds, and nothing else does") {
  CHECK(parse_seconds("1795208405.257") == 1'795'208'405'257);
  CHECK(parse_seconds("0") == 0);
  for (const auto* wrong : {"", "-1", "nan", "inf", "1e300", "12 ", "time"}) CHECK_MESSAGE(!parse_seconds(wrong), wrong);
}

TEST_CASE("what follows `cdr`") {
  const auto list = parse({"list"});
  REQUIRE(list);
  CHECK(list->format == Format::list);
  CHECK(list->last == Request::kUsualLast);
  const auto more = parse({"list", "--last", "5", "--user", "101", "--since", "2026-11-20"});
  REQUIRE(more);
  CHECK(more->last == 5);
  CHECK(more->user == "101");
  CHECK(more->since == parse_time("2026-11-20"));
  const auto exported = parse({"export", "--json", "--since", "2026-11-20", "--until", "2026-11-21"});
  REQUIRE(exported);
  CHECK(exported->format == Format::json);
  CHECK(exported->wants(*parse_time("2026-11-20")));
  CHECK(exported->wants(*parse_time("2026-11-20T23:59:59.999")));
  CHECK_FALSE(exported->wants(*parse_time("2026-11-21")));
  CHECK_FALSE(exported->wants(*parse_time("2026-11-19T23:59:59.999")));
}

TEST_CASE("what `cdr` does not understand") {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{}, {"show"}, {"export"}, {"export", "--csv", "--json"}, {"list", "--csv"}, {"list", "--last"},
                                                {"list", "--last", "0"}, {"list", "--last", "10001"}, {"list", "--last", "5x"}, {"list", "--user", ""},
                                                {"list", "--until", "2026-11-20"}, {"export", "--csv", "--user", "101"}, {"export", "--csv", "--since", "yesterday"}}) {
    const auto parsed = parse(wrong);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().empty());
  }
}

TEST_CASE("CSV has a header, CRLF, and quotes where a value needs them") {
  CHECK(printed(Format::csv, {{"1795208405.257", "a \"b\", c", "1.5", "line\nend"}, {"odd", "102", "", "busy"}}) ==
        "time,caller,billtime,status\r\n"
        "2026-11-20T21:00:05.257Z,\"a \"\"b\"\", c\",1.500,\"line\nend\"\r\n"
        "odd,102,,busy\r\n");
  CHECK(printed(Format::csv, {}) == "time,caller,billtime,status\r\n");
}

TEST_CASE("JSON is an array of objects, with numbers for durations") {
  CHECK(printed(Format::json, {{"1795208405", "a \"b\"\\", "0", "tab\t\x01"}, {"0", "102", "", "busy"}}) ==
        "[\n{\"time\": \"2026-11-20T21:00:05.000Z\", \"caller\": \"a \\\"b\\\"\\\\\", \"billtime\": 0.000, \"status\": \"tab\\u0009\\u0001\"},\n"
        "{\"time\": \"1970-01-01T00:00:00.000Z\", \"caller\": \"102\", \"billtime\": null, \"status\": \"busy\"}\n]\n");
  CHECK(printed(Format::json, {}) == "[\n]\n");
}

TEST_CASE("bytes that are not UTF-8 become U+FFFD in JSON") {
  CHECK(json_string("J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x93\x9e") == "\"J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x93\x9e\"");
  const std::string unknown = "\xef\xbf\xbd";
  CHECK(json_string("a\xff" "b") == "\"a" + unknown + "b\"");
  CHECK(json_string("\xc3") == "\"" + unknown + "\"");                                    // cut off
  CHECK(json_string("\xc0\xaf") == "\"" + unknown + unknown + "\"");                      // a slash, overlong
  CHECK(json_string("\xed\xa0\x80") == "\"" + unknown + unknown + unknown + "\"");        // a surrogate
}

TEST_CASE("a list shows people what matters, and nothing that steers their terminal") {
  const auto text = printed(Format::list, {{"1795208405.257", "\x1b[2J\xc2\x9b" "101", "1.5", "answered"}});
  CHECK(text.starts_with("time "));
  CHECK(text.find("2026-11-20T21:00:05.257Z") != std::string::npos);
  CHECK(text.find(" ?[2J?101 ") != std::string::npos);
  CHECK(text.find(" 1.500\n") != std::string::npos);
}
