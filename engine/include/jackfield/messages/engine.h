// Messages of the engine itself: its life, its clock, and what people ask it.
#pragma once

#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

inline constexpr ParameterUse kEngineCommandParameters[] = {
    {&param::kLine}, {&param::kPartline}, {&param::kPartword}, {&param::kComplete}, {&param::kCmdAddress}, {&param::kCmdMachine},
    {&param::kCmdAdmin}, {&param::kCmdWidth}, {&param::kCmdHeight}, {&param::kCmdOffset}};
inline constexpr MessageName kEngineCommand{
    .name = "engine.command",
    .doc = "A line somebody typed that is none of the program's own commands; or, with `partline`, a word to be completed.",
    .sent_by = "control socket, consoles, scripts",
    .result = "true: the line was understood, the return value is the answer; when completing, candidates separated by tabs are appended",
    .parameters = kEngineCommandParameters};

inline constexpr ParameterUse kEngineDebugParameters[] = {
    {&param::kModule}, {&param::kLine}, {&param::kCmdAddress}, {&param::kCmdMachine}, {&param::kCmdAdmin}};
inline constexpr MessageName kEngineDebug{
    .name = "engine.debug",
    .doc = "Changes how much a module logs: a level, on or off.",
    .sent_by = "control socket, [debug] of the configuration",
    .result = "true: it was understood; the return value says what holds now",
    .parameters = kEngineDebugParameters};

inline constexpr MessageName kEngineHalt{
    .name = "engine.halt",
    .doc = "The last message: everything is stopped and nothing waits any more.",
    .sent_by = "engine",
    .result = "ignored",
    .parameters = {},
    .broadcast = true};

inline constexpr ParameterUse kEngineHelpParameters[] = {
    {&param::kLine}, {&param::kCmdAddress}, {&param::kCmdMachine}, {&param::kCmdAdmin}};
inline constexpr MessageName kEngineHelp{
    .name = "engine.help",
    .doc = "Asks for help about a command, or without `line` for the list of commands.",
    .sent_by = "control socket, consoles",
    .result = "the return value is appended to; true ends the search for one command",
    .parameters = kEngineHelpParameters};

inline constexpr ParameterUse kEngineInitParameters[] = {
    {&param::kPlugin}};
inline constexpr MessageName kEngineInit{
    .name = "engine.init",
    .doc = "Modules are about to be initialised, at the start and at each reload.",
    .sent_by = "engine",
    .result = "ignored",
    .parameters = kEngineInitParameters,
    .broadcast = true};

inline constexpr ParameterUse kEngineStartParameters[] = {
    {&param::kNodename}, {&param::kTime}};
inline constexpr MessageName kEngineStart{
    .name = "engine.start",
    .doc = "All modules are started.",
    .sent_by = "engine",
    .result = "ignored",
    .parameters = kEngineStartParameters,
    .broadcast = true};

inline constexpr ParameterUse kEngineStatusParameters[] = {
    {&param::kModule}, {&param::kDetails}, {&param::kCmdAddress}, {&param::kCmdMachine}, {&param::kCmdAdmin}, {&param::kCmdWidth},
    {&param::kCmdHeight}, {&param::kCmdOffset}};
inline constexpr MessageName kEngineStatus{
    .name = "engine.status",
    .doc = "Asks modules for a line about themselves: `name=…,type=…;key=value,…`.",
    .sent_by = "control socket, consoles, monitoring",
    .result = "each module appends its line to the return value; true only from the module that was asked by name",
    .parameters = kEngineStatusParameters};

inline constexpr MessageName kEngineStop{
    .name = "engine.stop",
    .doc = "The server wants to end; sent again while a handler returns true.",
    .sent_by = "engine",
    .result = "true: not ready yet",
    .parameters = {},
    .broadcast = true};

inline constexpr ParameterUse kEngineTimerParameters[] = {
    {&param::kTime}, {&param::kNodename}};
inline constexpr MessageName kEngineTimer{
    .name = "engine.timer",
    .doc = "A second of the wall clock has passed.",
    .sent_by = "engine",
    .result = "ignored",
    .parameters = kEngineTimerParameters,
    .broadcast = true};

}  // namespace jackfield::messages
