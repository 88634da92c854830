import Checkpoints
import Foundation
import Runtime
import Yams

/// A YAML file of settings, `key: value`, whose keys are the names of a command's options.
struct SettingsFile {
  private let path: String
  private var settings: Node.Mapping
  /// The options that keys were changed by, by the first name of the key.
  private var options: [String: String] = [:]

  /// A value that the command line gives to a key.
  struct Change {
    /// A key inside of a mapping follows a point, as in miniature.pairs.
    let key: String
    let value: String
    /// What it was given by, such as `--set steps`.
    let option: String

    init(_ key: String, _ value: String, option: String? = nil) {
      self.key = key
      self.value = value
      self.option = option ?? "--set \(key)"
    }

    var parts: [String] { key.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) }
  }

  /// More than any settings need; a bomb of aliases is refused before it is parsed.
  private static let sizeLimit = 1 << 20

  /// Its keys, in order.
  var keys: [String] { settings.keys.map { $0.string ?? "?" } }

  /// No file, and so no settings.
  init() {
    path = "the command line"
    settings = [:]
  }

  /// Throws `SettingsFailure` or `FileFailure`.
  init(path: String) throws {
    let text = try Self.read(path)
    self.path = path
    settings = [:]
    settings = try explained {
      try Self.checkAliases(text)
      guard let node = try Yams.compose(yaml: text) else { return [:] }
      guard let mapping = node.mapping else {
        throw SettingsFailure(path: path, problem: "is not a list of 'key: value'")
      }
      return mapping
    }
  }

  private static func read(_ path: String) throws -> String {
    let file = try RegularFile(path: path)
    guard file.size <= sizeLimit else { throw SettingsFailure(path: path, problem: "is too large for settings") }
    let data = try FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: false).readToEnd() ?? Data()
    guard let text = String(data: data, encoding: .utf8) else {
      throw SettingsFailure(path: path, problem: "is not UTF-8 text")
    }
    return text
  }

  /// Throws for text with an alias to an anchor: a few lines of them stand for more values than any memory holds.
  private static func checkAliases(_ text: String) throws(InvalidText) {
    func names(after mark: UInt8) -> Set<String> {
      var found: Set<String> = []
      var previous = UInt8(ascii: "\n")
      var name: [UInt8]?
      for byte in Array(text.utf8) + [UInt8(ascii: "\n")] {
        let character = Character(UnicodeScalar(byte))
        if name != nil, character.isASCII, character.isLetter || character.isNumber || "_-".contains(character) {
          name?.append(byte)
        } else {
          if let whole = name, !whole.isEmpty { found.insert(String(decoding: whole, as: UTF8.self)) }
          name = byte == mark && !isPartOfWord(previous) ? [] : nil
        }
        previous = byte
      }
      return found
    }
    let anchors = names(after: UInt8(ascii: "&"))
    guard let alias = names(after: UInt8(ascii: "*")).intersection(anchors).min().map({ printable($0) }) else { return }
    throw InvalidText(problem: "uses the alias '*\(alias)'; write out what '&\(alias)' stands for")
  }

  /// Marks of anchors and aliases stand at the beginning of a value.
  private static func isPartOfWord(_ byte: UInt8) -> Bool {
    !" \t\r\n[]{},:?-".utf8.contains(byte)
  }

  private struct InvalidText: Error { let problem: String }

  /// The same settings with some given other values, as they would be written in the file.
  func changing(_ changes: [Change]) throws -> SettingsFile {
    var changed = self
    for change in changes {
      let path = change.parts
      changed.options[path[0]] = change.option
      let node = try changed.explained(by: change.option) {
        try Self.checkAliases(change.value)
        return try Yams.compose(yaml: change.value) ?? Node(change.value)
      }
      if path.count == 2 {
        var inner = changed.settings[Node(path[0])]?.mapping ?? Node.Mapping([])
        inner[Node(path[1])] = node
        changed.settings[Node(path[0])] = .mapping(inner)
      } else {
        changed.settings[Node(change.key)] = node
      }
    }
    return changed
  }

  /// Throws for the first key outside of `known`.
  func checkKeys(_ known: some Sequence<String>) throws(SettingsFailure) {
    let known = Set(known)
    guard let unknown = keys.first(where: { !known.contains($0) }) else { return }
    throw SettingsFailure(path: path, problem: "has an unknown key \(Self.advice(on: unknown, known: Array(known)))")
  }

  /// "'stepz'; did you mean 'steps'? known are …"
  static func advice(on unknown: String, known: [String]) -> String {
    let guess = NearestName.among(known, to: unknown).map { "did you mean '\($0)'? " } ?? ""
    return "'\(printable(unknown))'; \(guess)known are \(known.sorted().joined(separator: ", "))"
  }

  /// The settings; nil for a file without any.
  func decode<Settings: Decodable>(_ type: Settings.Type) throws -> Settings? {
    guard !keys.isEmpty else { return nil }
    return try explained { try YAMLDecoder().decode(type, from: Node.mapping(settings)) }
  }

  /// A path that stands in the file, which is relative to the file's folder.
  static func resolve(_ path: String, beside file: String) -> String {
    URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: file).deletingLastPathComponent()).path
  }

  /// Names the file where a setting that it gave cannot be used; the body knows settings by their names alone.
  ///
  /// - Parameter others: names of settings that options gave.
  static func naming<Result>(
    _ path: String?, except others: Set<String>, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let failure as UsageFailure {
      guard let path, let (name, why) = failure.setting, !others.contains(name),
        let file = try? SettingsFile(path: path), file.keys.contains(name)
      else { throw failure }
      throw SettingsFailure(path: path, problem: "has an unusable '\(name)': it \(why)")
    }
  }

  /// Turns what the YAML library throws into one line that names file or option, and field.
  ///
  /// - Parameter option: that holds all of the text, if one does; else the field says whether it came from one.
  private func explained<Result>(by option: String? = nil, _ body: () throws -> Result) throws -> Result {
    func failure(_ field: String?, _ problem: String) -> SettingsFailure {
      let first = field?.split(separator: ".").first.map(String.init)
      guard let option = option ?? first.flatMap({ options[$0] }) else {
        return SettingsFailure(path: path, problem: problem)
      }
      return SettingsFailure(path: option, problem: problem, category: .usage)
    }
    do {
      return try body()
    } catch let failure as SettingsFailure {
      throw failure
    } catch let error as InvalidText {
      throw failure(nil, error.problem)
    } catch let error as InvalidField {
      throw failure(error.field, "has an unusable '\(printable(error.field))': it \(printable(error.why, limit: 400))")
    } catch let error as DecodingError {
      throw failure(Self.field(of: error), Self.explain(error))
    } catch {
      // Further lines show the place with a mark under it.
      let text = "\(error)".split(separator: "\n").first ?? ""
      throw failure(
        nil, "is not valid YAML: \(printable(text, limit: 200)); put text with ':' or '#' in quotes")
    }
  }

  /// Where a value does not fit, such as `dpo.strength`.
  private static func field(of error: DecodingError) -> String? {
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return context.codingPath.map(\.stringValue).joined(separator: ".")
    case .keyNotFound(let key, let context):
      return (context.codingPath + [key]).map(\.stringValue).joined(separator: ".")
    @unknown default: return nil
    }
  }

  private static func explain(_ error: DecodingError) -> String {
    let field = printable(field(of: error) ?? "?")
    switch error {
    case .typeMismatch(let type, _), .valueNotFound(let type, _):
      return "has an unusable value for '\(field)': it must be \(describe(type))"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "is not valid YAML: \(printable(context.debugDescription, limit: 200))"
        : "has an unusable value for '\(field)': \(printable(context.debugDescription, limit: 200))"
    case .keyNotFound: return "lacks '\(field)'"
    @unknown default: return "is not usable"
    }
  }

  private static func describe(_ type: Any.Type) -> String {
    switch type {
    case is Bool.Type: "true or false"
    case is any UnsignedInteger.Type: "a whole number, 0 or more"
    case is any FixedWidthInteger.Type: "a whole number"
    case is any FloatingPoint.Type: "a number"
    case is String.Type: "text"
    case is Node.Scalar.Type: "a single value"
    case is Node.Mapping.Type: "a list of 'key: value'"
    default: "a list, as in [a, b]"
    }
  }
}

/// A settings file, or an option in place of one of its lines, that cannot be used.
struct SettingsFailure: Failure, Equatable {
  /// Of the file, or the option.
  let path: String
  let problem: String
  var category = FailureCategory.badInput
  var message: String { "\(printable(path, limit: 1024)) \(problem)" }
}
