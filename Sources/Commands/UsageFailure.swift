import Runtime

/// Settings that contradict themselves or each other.
struct UsageFailure: Failure, Equatable {
  let message: String
  /// The one that is wrong by itself, and what is wrong with it, where one is.
  let setting: (name: String, why: String)?

  init(_ message: String) {
    self.message = message
    setting = nil
  }

  /// - Parameters:
  ///   - setting: a key of a settings file, or an option whose name is that of a key.
  ///   - why: completes the sentence "steps …", such as "must be positive, not -3".
  init(_ setting: String, _ why: String) {
    let isOption = setting.hasPrefix("--")
    message = isOption ? "\(setting) \(why)" : "'\(setting)' \(why)"
    self.setting = (isOption ? String(setting.dropFirst(2)) : setting, why)
  }

  var category: FailureCategory { .usage }

  /// Throws if a name is given, but has no letters.
  ///
  /// - Parameter option: that it is given with, or what it names.
  static func checkIsNotEmpty(_ name: String?, _ option: String) throws(UsageFailure) {
    if name?.isEmpty == true { throw UsageFailure("\(option) is empty") }
  }

  static func == (one: UsageFailure, other: UsageFailure) -> Bool { one.message == other.message }
}

/// Parses the value of `--memory`.
func parseMemoryBudget(_ text: String) throws(UsageFailure) -> Int {
  // Without a unit it would be bytes, which nobody means.
  guard let bytes = parseByteCount(text), bytes >= 1 << 20 else {
    throw UsageFailure("--memory must be a size with a unit, such as 8G or 512M, not '\(printable(text))'")
  }
  return bytes
}

/// Parses "8G", "1.5GiB", "512M", "100000": bytes, in powers of 1024.
func parseByteCount(_ text: String) -> Int? {
  let digits = text.prefix { $0.isNumber || $0 == "." }
  let unit = text.dropFirst(digits.count).uppercased()
  let shifts = [
    "": 0, "B": 0, "K": 10, "KB": 10, "KIB": 10, "M": 20, "MB": 20, "MIB": 20, "G": 30, "GB": 30, "GIB": 30, "T": 40,
    "TB": 40, "TIB": 40,
  ]
  guard let shift = shifts[unit], let value = Double(digits), value >= 0 else { return nil }
  return Int(exactly: (value * Double(1 << shift)).rounded())
}
