import Foundation
import Runtime

/// Shows a run on standard error: one line that is rewritten on a terminal, plain lines elsewhere.
final class ProgressPrinter {
  let isTerminal = isatty(STDERR_FILENO) == 1
  private var stage = ""
  private var units = 0
  private var start = Date()
  private var lastShown = Date.distantPast
  private var hasOpenLine = false

  func show(_ event: RunEvent) {
    switch event {
    case .stage(let name, let units):
      endLine()
      (stage, self.units, start, lastShown) = (name, units, Date(), .distantPast)
      if isTerminal { rewrite(name) } else { write(name + "\n") }
    case .progress(let done):
      guard units > 0 else { return }
      update(isLast: done >= units) { describe(done, Date().timeIntervalSince(start)) }
    case .status(let line, let isLast): update(isLast: isLast) { line }
    case .note(let text):
      endLine()
      write(text + "\n")
    case .warning(let text):
      endLine()
      write("warning: \(text)\n")
    }
  }

  /// Ends the open line; call before other output.
  func finish() { endLine() }

  /// Shows a new state of the stage: a terminal gets a few a second, a log one every ten seconds and the last.
  private func update(isLast: Bool, _ line: () -> String) {
    let now = Date()
    guard isLast || now.timeIntervalSince(lastShown) > (isTerminal ? 0.2 : 10) else { return }
    lastShown = now
    if isTerminal { rewrite(line()) } else { write(line() + "\n") }
  }

  private func describe(_ done: Int, _ elapsed: TimeInterval) -> String {
    let rate = elapsed > 0 ? Double(done) / elapsed : 0
    let speed = rate >= 1 ? String(format: "%.1f/s", rate) : String(format: "%.1f s each", 1 / max(rate, 1e-9))
    let rest = rate > 0 ? Double(units - done) / rate : 0
    return "\(stage) \(done)/\(units), \(speed)" + (done < units ? ", \(clockText(rest)) left" : "")
  }

  private func rewrite(_ line: String) {
    // Cut to the terminal's width: a wrapped line could not be rewritten.
    var size = winsize()
    let columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    write("\r\u{1B}[K" + line.prefix(max(1, columns - 1)))
    hasOpenLine = true
  }

  private func endLine() {
    if hasOpenLine { write("\n") }
    hasOpenLine = false
  }

  private func write(_ text: String) {
    // Progress that nobody can read any more must not stop the run.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
