// How a call is set up: ringing, early media, the answer, and what passes with them.
#include <malloc.h>

#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

TEST_CASE_FIXTURE(TwoPhones, "A call rings, is answered and is ended by the caller") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(stack::first_line(invite) == "INVITE sip:102@198.51.100.2:5060 SIP/2.0");
  CHECK(header(invite, "From").starts_with("\"Ann \\\"A\\\"\" <sip:101@192.0.2.1>;tag="));
  CHECK(header(invite, "To") == "<sip:102@198.51.100.2:5060>");
  CHECK(header(invite, "Contact") == "<sip:101@192.0.2.1:5060>");
  CHECK(header(invite, "Max-Forwards") == "69");
  CHECK(header(invite, "Call-ID") != ann.call_id);
  CHECK(split_origin(body(invite)).second == split_origin(sdp("offer")).second);

  bob.answer(invite, 180);
  const auto ringing = ann.expect("SIP/2.0 180");
  CHECK(header(ringing, "Contact") == "<sip:102@192.0.2.1:5060>");
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK sip:102@198.51.100.2:5060");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(tag_of(ok, "To") == tag_of(ringing, "To"));
  CHECK(split_origin(body(ok)).second == split_origin(sdp("answer")).second);
  ann.take_answer(ok);
  ann.ack();
  CHECK(engine.channels().size() == 2);

  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = bob.expect("BYE sip:102@198.51.100.2:5060");
  CHECK(header(bye, "CSeq") == "2 BYE");
  bob.answer(bye, 200);
  CHECK(engine.channels().size() == 0);
  CHECK(calls->legs() == 0);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "The bus sees a call in Yate's order, with its parameters") {
  connect(ann, bob);
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);

  std::vector<std::string> of_the_caller;
  for (const auto& one : seen)
    if (one.at("id") == "sip/1" && !one.name.starts_with("chan.connected") && !one.name.starts_with("chan.disc")) of_the_caller.push_back(one.name);
  CHECK(of_the_caller == std::vector<std::string>{"chan.startup", "call.preroute", "call.route", "call.execute", "chan.hangup"});
  std::vector<std::string> of_the_called;
  for (const auto& one : seen)
    if (one.at("id") == "sip/2" && !one.name.starts_with("chan.connected") && !one.name.starts_with("chan.disc")) of_the_called.push_back(one.name);
  CHECK(of_the_called == std::vector<std::string>{"chan.startup", "call.ringing", "call.answered", "call.drop", "chan.hangup"});

  for (const auto& startup : all("chan.startup")) {
    CHECK(startup.at("connection_id") == "general");
    CHECK(!startup.at("sip_callid").empty());
  }
  const auto route = all("call.route").at(0);
  CHECK(route.at("formats") == "mulaw");
  CHECK(route.at("rtp_addr") == "198.51.100.9");
  CHECK(route.at("rtp_port") == "4000");
  CHECK(route.at("caller") == "101");
  CHECK(route.at("called") == "102");
  CHECK(route.at("callername") == "Ann \"A\"");
  CHECK(route.at("username") == "101");
  CHECK(route.at("antiloop") == "69");
  CHECK(route.at("ip_host") == "198.51.100.1");
  CHECK(route.at("ip_port") == "5060");
  CHECK(route.at("address") == "198.51.100.1:5060");
  CHECK(route.at("sip_uri") == "sip:102@192.0.2.1");
  CHECK(route.at("sip_from") == "sip:101@192.0.2.1");
  CHECK(route.at("sip_callid") == ann.call_id);
  CHECK(route.at("sip_contact") == "<sip:101@198.51.100.1:5060>");
  CHECK(route.at("sdp_raw") == sdp("offer"));
  CHECK(route.at("direction") == "incoming");
  CHECK(route.at("billid") == all("call.answered").at(0).at("billid"));
  CHECK(route.at("rtp_forward") == "possible");
  CHECK(all("call.execute").at(0).at("rtp_forward") == "yes");
  CHECK(all("call.execute").at(0).at("callto") == "sip/sip:102@198.51.100.2:5060");
  const auto answered = all("call.answered").at(0);
  CHECK(answered.handled);
  CHECK(answered.at("peerid") == "sip/1");
  CHECK(answered.at("callid").starts_with("sip/"));
  CHECK(hangup("sip/1").at("status") == "answered");
  CHECK(hangup("sip/1").at("lastpeerid") == "sip/2");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Of a multipart body the session description goes on, at both ends") {
  ann.content_type = "multipart/mixed;boundary=\"part\"";
  ann.invite("--part\r\nContent-Type: text/plain\r\n\r\nhello\r\n--part\r\nContent-Type: application/sdp\r\n\r\n" + sdp("offer") + "\r\n--part--\r\n");
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Content-Type") == "application/sdp");
  CHECK(split_origin(body(invite)).second == split_origin(sdp("offer")).second);
  CHECK(all("call.execute").front().at("sdp_raw") == sdp("offer"));
  bob.answer(invite, 486);
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A body nobody reads is 415 before there is a leg, unless its sender calls it optional") {
  ann.content_type = "application/isup";
  SUBCASE("insisted on") {
    ann.invite("isup");
    CHECK(header(ann.expect("SIP/2.0 415"), "Accept") == kAccept);
    CHECK(seen.empty());
    CHECK(door.asked.empty());
  }
  SUBCASE("optional") {
    ann.invite("isup", "Content-Disposition: signal;handling=optional\r\n");
    const auto invite = bob.take_invite();
    CHECK(body(invite).empty());
    bob.answer(invite, 486);
    ann.expect("SIP/2.0 486");
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A description of 64 KB passes whole, one beyond what is parsed unchanged") {
  FarEnd carol(*this, "198.51.100.3:5060", 7), dave(*this, "198.51.100.4:5060", 8);
  dave.name = "102";
  bindings.all.emplace("sip:102@dave", BindingTarget{.flow = dave.flow, .request_uri = "sip:102@198.51.100.4:5060", .route = {}});
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@dave");
    return true;
  };
  const auto of_size = [](std::size_t size) {
    auto description = sdp("long");
    while (description.size() + 40 < size) description += "a=candidate:1 1 UDP 1 192.0.2.1 4000\r\n";
    description += "a=";
    description.append(size - description.size() - 2, 'x');
    return description + "\r\n";
  };
  for (const std::size_t size : {std::size_t{64 * 1024}, std::size_t{100 * 1024}}) {
    CAPTURE(size);
    carol.call_id = fmt::format("size-{}", size);
    const auto offer = of_size(size);
    REQUIRE(offer.size() == size);
    carol.invite(offer);
    const auto invite = dave.take_invite();
    CHECK(split_origin(body(invite)).second == split_origin(offer).second);
    dave.answer(invite, 486);
    dave.expect("ACK");
    carol.expect("SIP/2.0 486");
    carol.remote_tag.clear();
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call without any description, from either end, is acknowledged at once") {
  ann.invite({});
  const auto invite = bob.take_invite();
  bob.answer(invite, 200);
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A ringing call repeats itself every minute to those on the way") {
  ring(ann, bob);
  engine.advance(61s);
  ann.expect("SIP/2.0 180");
  ann.expect_nothing();
  ann.cancel();
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(bob.last_invite, 487);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "181, 182 and 183 keep their meaning across the bus") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  bob.answer(invite, 181);
  ann.expect("SIP/2.0 181");
  bob.answer(invite, 182);
  ann.expect("SIP/2.0 182");
  bob.answer(invite, 183, sdp("early"));
  const auto progress = ann.expect("SIP/2.0 183");
  CHECK(split_origin(body(progress)).second == split_origin(sdp("early")).second);
  CHECK(all("call.progress").at(2).at("earlymedia") == "yes");
  bob.answer(invite, 200, sdp("early"));
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(tag_of(ok, "To") == tag_of(progress, "To"));
  CHECK(body(ok) == body(progress));
  ann.take_answer(ok);
  ann.ack();
  drop("sip/1");
  ann.answer(ann.expect("BYE"), 200);
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Of two phones behind one proxy, early media of the first alone reaches the caller, and no tag has two answers") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  bob.answer(invite, 183, sdp("first"), "phone-a");
  const auto early = ann.expect("SIP/2.0 183");
  bob.answer(invite, 183, sdp("second"), "phone-b");
  ann.expect_nothing();
  bob.answer(invite, 200, sdp("second"), "phone-b");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("second")).second);
  CHECK(tag_of(ok, "To") != tag_of(early, "To"));
  ann.take_answer(ok);
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "With early_media=each every phone's early media reaches the caller under a tag of its own") {
  settings->call.early_media = EarlyMedia::each;
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  bob.answer(invite, 183, sdp("first"), "phone-a");
  const auto first = ann.expect("SIP/2.0 183");
  bob.answer(invite, 183, sdp("second"), "phone-b");
  const auto second = ann.expect("SIP/2.0 183");
  CHECK(tag_of(first, "To") != tag_of(second, "To"));
  CHECK(split_origin(body(second)).second == split_origin(sdp("second")).second);
  SUBCASE("the answer comes under its phone's tag") {
    bob.answer(invite, 200, sdp("second"), "phone-b");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(tag_of(ok, "To") == tag_of(second, "To"));
    CHECK(body(ok) == body(second));
    ann.take_answer(ok);
  }
  SUBCASE("an answer that differs from what was sent early gets a tag of its own") {
    bob.answer(invite, 200, sdp("third"), "phone-b");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(tag_of(ok, "To") != tag_of(second, "To"));
    CHECK(tag_of(ok, "To") != tag_of(first, "To"));
    ann.take_answer(ok);
  }
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A 2xx that is repeated is acknowledged again, and told the caller once") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"));
  const auto first = bob.expect("ACK");
  bob.answer(invite, 200, sdp("answer"));
  const auto again = bob.expect("ACK");
  CHECK(header(again, "CSeq") == header(first, "CSeq"));
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.expect_nothing();
  drop("sip");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A second phone that answers the same INVITE is acknowledged and ended") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"), "phone-a");
  bob.expect("ACK");
  bob.answer(invite, 200, sdp("answer"), "phone-b");
  CHECK(tag_of(bob.expect("ACK"), "To") == "phone-b");
  const auto bye = bob.expect("BYE");
  CHECK(tag_of(bye, "To") == "phone-b");
  bob.answer(bye, 200);
  CHECK(engine.channels().size() == 2);
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);
  SUBCASE("also when the call is over already") {
    bob.answer(invite, 200, sdp("answer"), "phone-c");
    CHECK(tag_of(bob.expect("ACK"), "To") == "phone-c");
    bob.answer(bob.expect("BYE"), 200);
  }
  SUBCASE("") {}
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "An offer that comes with the answer is answered by the ACK, through both legs") {
  ann.invite({});
  const auto invite = bob.take_invite();
  CHECK(body(invite).empty());
  bob.answer(invite, 200, sdp("offer-of-bob"));
  bob.expect_nothing();  // its ACK needs Ann's answer
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("offer-of-bob")).second);
  ann.take_answer(ok);
  ann.ack(sdp("answer-of-ann"));
  const auto ack = bob.expect("ACK");
  CHECK(split_origin(body(ack)).second == split_origin(sdp("answer-of-ann")).second);
  bob.answer(invite, 200, sdp("offer-of-bob"));
  CHECK(body(bob.expect("ACK")) == body(ack));
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "More legs than maxchans are refused with 503") {
  connect(ann, bob);
  settings->max_channels = 2;
  FarEnd carl{*this, "198.51.100.3:5060"};
  carl.invite(sdp("offer"));
  const auto refusal = carl.expect("SIP/2.0 503");
  CHECK(!header(refusal, "Retry-After").empty());
  settings->max_channels = 3;
  carl.call_id = "another";
  carl.invite(sdp("offer"));
  carl.expect("SIP/2.0 480");  // room for the caller's leg alone
  drop("");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Media modules see each description before it goes on, and may replace it") {
  std::vector<std::string> steps;
  const auto replace = [&](BusMessage& message) {
    steps.push_back(std::string(message.name()) + " " + std::string(message.get("id")));
    auto text = std::string(message.get("sdp_raw"));
    message.set("sdp_raw", text.replace(text.find("4000"), 4, "6000"));
    return true;
  };
  handle(messages::kMediaOffer, replace);
  handle(messages::kMediaAnswer, replace);
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(body(invite).find("m=audio 6000") != std::string::npos);
  bob.answer(invite, 200, sdp("answer"));
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(body(ok).find("m=audio 6000") != std::string::npos);
  CHECK(steps == std::vector<std::string>{"media.offer sip/2", "media.answer sip/1"});
  ann.take_answer(ok);
  ann.ack();
  ann.request("BYE");
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  CHECK(all("media.release").size() == 2);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A media module that refuses the offer ends the call with 488") {
  handle(messages::kMediaOffer, [](BusMessage& message) {
    message.set("error", "nomedia");
    return true;
  });
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 488");
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Headers named as what we say ourselves of a call change nothing of it") {
  ann.invite(sdp("offer"), "Uri: sip:999@192.0.2.1\r\nCallid: another\r\nX-Uri: kept\r\n");
  const auto routed = all("call.route").at(0);
  CHECK(routed.at("sip_uri") == "sip:102@192.0.2.1");
  CHECK(routed.at("sip_callid") == ann.call_id);
  CHECK(routed.at("sip_x-uri") == "kept");
  const auto invite = bob.take_invite();
  bob.answer(invite, 486);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A header that is given many times is one parameter, and costs no more memory than it is long") {
  std::string extra, joined;
  const std::string value(40, 'v');
  for (int line = 0; line < 240; ++line) {
    extra += "X-Again: " + value + "\r\n";
    joined += (line ? "," : "") + value;
  }
  std::size_t before = 0, grown = 0;
  std::string seen_value;
  handle(messages::kCallPreroute, [&](BusMessage& message) {
    grown = ::mallinfo2().uordblks + ::mallinfo2().hblkhd - before;
    seen_value = message.get("sip_x-again");
    return false;
  });
  before = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  ann.invite(sdp("offer"), extra);
  CHECK(seen_value == joined);
  CHECK(grown < 300'000);
  bob.answer(bob.take_invite(), 486);
  bob.expect("ACK");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A far end that rings under ever new tags makes no dialog for each") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  for (int phone = 0; phone < 500; ++phone) bob.answer(invite, 180, {}, fmt::format("tag{}", phone));
  CHECK(ann.inbox.size() <= 65);
  CHECK(calls->dialogs() <= 66);
  ann.inbox.clear();
  bob.answer(invite, 486);
  bob.expect("ACK");
  ann.expect("SIP/2.0 486");
  ann.ack();
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
