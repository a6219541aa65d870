// RFC 3261 §12: what a dialog takes from the messages that make and change it, and what it writes and accepts from then on.
#include "stack/dialog.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <string>
#include <unordered_map>

namespace jackfield::sip::stack {
namespace {

const ViaLine kVia{"UDP", "192.0.2.1", 5060, "z9hG4bKx"};

struct Text {
  std::string start = "INVITE sip:102@192.0.2.1 SIP/2.0";
  std::string from = "<sip:101@192.0.2.1>;tag=theirs";
  std::string to = "<sip:102@192.0.2.1>";
  std::string cseq = "7 INVITE";
  std::string extra = "Contact: <sip:101@198.51.100.1:5062>\r\n";
  std::string text() const {
    return fmt::format("{}\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1\r\nFrom: {}\r\nTo: {}\r\nCall-ID: abc\r\nCSeq: {}\r\n{}Content-Length: 0\r\n\r\n", start, from,
                       to, cseq, extra);
  }
};

/// A message that keeps the text it points into.
struct Parsed {
  std::string text;
  Message message;
  explicit Parsed(const Text& from) : text(from.text()) { REQUIRE(message.parse(text)); }
};

std::string write(const Dialog& dialog, std::string_view method = "BYE", std::uint32_t cseq = 1) {
  std::string out;
  dialog.begin_request(out, method, cseq, kVia).end();
  return out;
}
std::vector<std::string> lines(const std::string& text, std::string_view name) {
  Message message;
  REQUIRE(message.parse(text));
  std::vector<std::string> out;
  for (const auto& line : message.headers())
    if (line.name == name) out.emplace_back(line.value);
  return out;
}
std::string start_line(const std::string& text) { return text.substr(0, text.find("\r\n")); }

TEST_CASE("The called side's dialog comes from the INVITE") {
  const Parsed invite({.extra = "Contact: <sip:101@198.51.100.1:5062>\r\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>\r\n"});
  const auto dialog = Dialog::answering(invite.message, "ours");
  CHECK(dialog.call_id() == "abc");
  CHECK(dialog.local_tag() == "ours");
  CHECK(dialog.remote_tag() == "theirs");
  CHECK(dialog.remote_cseq() == 7);
  const auto bye = write(dialog);
  CHECK(start_line(bye) == "BYE sip:101@198.51.100.1:5062 SIP/2.0");
  CHECK(lines(bye, "Route") == std::vector<std::string>{"<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>"});
  CHECK(lines(bye, "From").front() == "<sip:102@192.0.2.1>;tag=ours");
  CHECK(lines(bye, "To").front() == "<sip:101@192.0.2.1>;tag=theirs");
  CHECK(lines(bye, "Via").front() == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport");
  CHECK(dialog.next_hop() == "sip:p2;lr");
}

TEST_CASE("Without a Contact the From URI is the target") {
  for (const std::string_view contact : {"", "Contact: *\r\n"}) {
    const Parsed invite({.extra = std::string(contact)});
    CHECK(Dialog::answering(invite.message, "ours").target() == "sip:101@192.0.2.1");
  }
}

Dialog calling(std::vector<std::string> route = {}) {
  return Dialog({.call_id = "abc", .local_tag = "ours", .local = "\"A\" <sip:101@x>", .remote = "<sip:102@y>", .target = "sip:102@198.51.100.2", .route = std::move(route), .max_forwards = 12});
}

TEST_CASE("The calling side begins with what it was given, and a pre-loaded route") {
  auto dialog = calling({"<sip:edge;lr>"});
  const auto invite = write(dialog, "INVITE", dialog.next_cseq());
  CHECK(start_line(invite) == "INVITE sip:102@198.51.100.2 SIP/2.0");
  CHECK(lines(invite, "Route").front() == "<sip:edge;lr>");
  CHECK(lines(invite, "From").front() == "\"A\" <sip:101@x>;tag=ours");
  CHECK(lines(invite, "To").front() == "<sip:102@y>");
  CHECK(lines(invite, "CSeq").front() == "1 INVITE");
  CHECK(lines(invite, "Max-Forwards").front() == "12");
}

TEST_CASE("Its 2xx gives tag, target and the route, last hop first") {
  auto dialog = calling({"<sip:edge;lr>"});
  const Parsed ok({.start = "SIP/2.0 200 OK",
                   .to = "<sip:102@y>;tag=far",
                   .cseq = "1 INVITE",
                   .extra = "Contact: <sip:102@10.0.0.2>\r\nRecord-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n"});
  dialog.establish(ok.message);
  CHECK(dialog.remote_tag() == "far");
  const auto bye = write(dialog);
  CHECK(start_line(bye) == "BYE sip:102@10.0.0.2 SIP/2.0");
  CHECK(lines(bye, "Route") == std::vector<std::string>{"<sip:p1;lr>", "<sip:p2;lr>"});
  CHECK(lines(bye, "To").front() == "<sip:102@y>;tag=far");
  CHECK(lines(bye, "Max-Forwards").front() == "70");
  const Parsed bare({.start = "SIP/2.0 200 OK", .to = "<sip:102@y>;tag=far", .cseq = "1 INVITE", .extra = ""});
  dialog.establish(bare.message);
  CHECK(lines(write(dialog), "Route").empty());  // §13.2.2.4: recomputed, also to nothing
  CHECK(dialog.target() == "sip:102@10.0.0.2");
}

TEST_CASE("A strict router finds itself on the start line and the target at the end of the route") {
  auto dialog = calling();
  const Parsed ok({.start = "SIP/2.0 200 OK",
                   .to = "<sip:102@y>;tag=far",
                   .cseq = "1 INVITE",
                   .extra = "Contact: <sip:102@10.0.0.2>\r\nRecord-Route: <sip:last;lr>, <sip:strict@old>\r\n"});
  dialog.establish(ok.message);
  const auto bye = write(dialog);
  CHECK(start_line(bye) == "BYE sip:strict@old SIP/2.0");
  CHECK(lines(bye, "Route") == std::vector<std::string>{"<sip:last;lr>", "<sip:102@10.0.0.2>"});
}

TEST_CASE("A target is refreshed by a Contact alone") {
  auto dialog = calling();
  dialog.refresh_target(Parsed({.extra = ""}).message);
  CHECK(dialog.target() == "sip:102@198.51.100.2");
  dialog.refresh_target(Parsed({.extra = "Contact: \"x\" <sip:moved@198.51.100.9;transport=tcp>;expires=3\r\n"}).message);
  CHECK(dialog.target() == "sip:moved@198.51.100.9;transport=tcp");
}

TEST_CASE("Numbers of the far end may skip and repeat, but not fall; the first is any") {
  auto dialog = calling();
  CHECK(dialog.take_cseq(4'000'000'000u));
  CHECK(dialog.take_cseq(4'000'000'000u));
  CHECK(dialog.take_cseq(4'000'000'005u));
  CHECK_FALSE(dialog.take_cseq(4'000'000'004u));
  CHECK(dialog.remote_cseq() == 4'000'000'005u);
  CHECK(dialog.next_cseq() == 1);
  CHECK(dialog.next_cseq() == 2);
}

TEST_CASE("A request is the peer's when its From tag is") {
  const Parsed invite({});
  const auto dialog = Dialog::answering(invite.message, "ours");
  CHECK(dialog.is_from_peer(invite.message));
  CHECK_FALSE(dialog.is_from_peer(Parsed({.from = "<sip:101@192.0.2.1>;tag=other"}).message));
  CHECK_FALSE(dialog.is_from_peer(Parsed({.from = "<sip:101@192.0.2.1>"}).message));
  const Parsed old({.from = "<sip:101@192.0.2.1>"});  // RFC 2543 had none
  CHECK(Dialog::answering(old.message, "ours").is_from_peer(old.message));
}

TEST_CASE("Another tag of ours makes another dialog of the same call") {
  auto dialog = Dialog::answering(Parsed({}).message, "first");
  dialog.set_local_tag("second");
  CHECK(dialog.local_tag() == "second");
  CHECK(lines(write(dialog), "From").front() == "<sip:102@192.0.2.1>;tag=second");
}

TEST_CASE("Dialogs are found by Call-ID and our tag, with views") {
  std::unordered_map<DialogKey, int, DialogKeyHash, DialogKeyEqual> table;
  table.emplace(DialogKey{"a", "1"}, 1);
  table.emplace(DialogKey{"a", "2"}, 2);
  table.emplace(DialogKey{"b", "1"}, 3);
  CHECK(table.find(DialogKeyView{"a", "2"})->second == 2);
  CHECK(table.find(DialogKeyView{"b", "1"})->second == 3);
  CHECK(table.find(DialogKeyView{"b", "2"}) == table.end());
}

}  // namespace
}  // namespace jackfield::sip::stack
