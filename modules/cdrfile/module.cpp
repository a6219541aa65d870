// Call records in a file: a line for each record that is final.
#include "commands.h"
#include "line_writer.h"
#include "settings.h"

#include <jackfield/messages/call.h>
#include <jackfield/module.h>

#include <memory>

namespace jackfield::cdrfile {
namespace {

constexpr int kPriority = 100;

struct FilePlan : Plan {
  FileSettings settings;
  SourceLine file_line;
  std::shared_ptr<AppendFile> file;  ///< null: nothing is written
};

class CdrFileModule final : public ModuleOf<FilePlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<FilePlan>();
    CheckResult result;
    plan->settings = read_settings(settings, result.problems);
    plan->file_line = settings.where("general", "file");
    if (plan->settings.path.empty()) {
      result.problems.push_back({Problem::Severity::warning, plan->file_line, "no call records are written: name a file= in [general]"});
    }
    result.plan = std::move(plan);
    return result;
  }

  /// Opens the file anew each time: it may have been moved away since.
  tl::expected<void, Problem> prepare_plan(Engine& engine, FilePlan& plan) override {
    if (plan.settings.path.empty()) return {};
    auto file = AppendFile::open(engine.state_dir() / plan.settings.path, plan.settings.mode);
    if (!file) return tl::unexpected(Problem{Problem::Severity::error, plan.file_line, file.error()});
    plan.file = std::move(*file);
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<FilePlan> plan) noexcept override {
    settings_ = std::move(plan->settings);
    if (!plan->file) writer_.reset();
    else if (writer_) writer_->reopen(std::move(plan->file));
    else writer_ = std::make_unique<LineWriter>(engine.log("cdrfile"), std::move(plan->file));
    if (handler_) return;
    handler_ = engine.bus().install({.message = messages::kCallCdr, .priority = kPriority, .track = "cdrfile"},
                                    [this](Message& cdr) { return write(cdr); });
  }

  void stop() override {
    handler_.reset();
    writer_.reset();
  }

 private:
  Verdict write(const Message& cdr) {
    namespace param = messages::param;
    if (!writer_ || cdr.get(param::kOperation) != (settings_.combined ? "combined" : "finalize")) return false;
    if (!cdr.flag(param::kCdrwrite, true)) return false;
    writer_->append(settings_.format.line(cdr));
    return false;
  }

  FileSettings settings_;
  std::unique_ptr<LineWriter> writer_;
  Bus::Subscription handler_;
};

std::unique_ptr<Module> make() { return std::make_unique<CdrFileModule>(); }

}  // namespace
}  // namespace jackfield::cdrfile

JACKFIELD_MODULE(.name = "cdrfile", .summary = "Call records in a file", .requires_modules = {}, .keys = &jackfield::cdrfile::kKeys,
                 .create = jackfield::cdrfile::make, .commands = jackfield::cdrfile::kCommands);
