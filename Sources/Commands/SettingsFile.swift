import Checkpoints
import Foundation
import Runtime
import Yams

/// A YAML file of settings, `key: value`, whose keys are the names of a command's options.
struct SettingsFile {
  private let path: String
  private var settings: Node.Mapping

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
    settings = try Self.explained(path) {
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

  /// The same settings with some given other values, as they would be written in the file.
  func changing(_ changes: [(key: String, value: String)]) throws -> SettingsFile {
    var changed = self
    for (key, value) in changes {
      let node = try Self.explained("--set \(printable(key))") { try Yams.compose(yaml: value) ?? Node(value) }
      let path = key.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if path.count == 2 {
        var inner = changed.settings[Node(path[0])]?.mapping ?? Node.Mapping([])
        inner[Node(path[1])] = node
        changed.settings[Node(path[0])] = .mapping(inner)
      } else {
        changed.settings[Node(key)] = node
      }
    }
    return changed
  }

  /// Throws for the first key outside of `known`.
  func checkKeys(_ known: some Sequence<String>) throws(SettingsFailure) {
    let known = Set(known)
    guard let unknown = keys.first(where: { !known.contains($0) }) else { return }
    throw SettingsFailure(
      path: path,
      problem: "has an unknown key '\(printable(unknown))'; known are \(known.sorted().joined(separator: ", "))")
  }

  /// The settings; nil for a file without any.
  func decode<Settings: Decodable>(_ type: Settings.Type) throws -> Settings? {
    guard !keys.isEmpty else { return nil }
    return try Self.explained(path) { try YAMLDecoder().decode(type, from: Node.mapping(settings)) }
  }

  /// A path that stands in the file, which is relative to the file's folder.
  static func resolve(_ path: String, beside file: String) -> String {
    URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: file).deletingLastPathComponent()).path
  }

  /// Turns what the YAML library throws into one line that names file and field.
  private static func explained<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let failure as SettingsFailure {
      throw failure
    } catch let error as InvalidField {
      throw SettingsFailure(
        path: path, problem: "has an unusable '\(printable(error.field))': it \(printable(error.why))")
    } catch let error as DecodingError {
      throw SettingsFailure(path: path, problem: explain(error))
    } catch {
      // Further lines show the place with a mark under it.
      let text = "\(error)".split(separator: "\n").first ?? ""
      throw SettingsFailure(
        path: path, problem: "is not valid YAML: \(printable(text, limit: 200)); put text with ':' or '#' in quotes")
    }
  }

  private static func explain(_ error: DecodingError) -> String {
    func field(_ context: DecodingError.Context) -> String {
      printable(context.codingPath.map(\.stringValue).joined(separator: "."))
    }
    switch error {
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return "has an unusable value for '\(field(context))': it must be \(describe(type))"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "is not valid YAML: \(printable(context.debugDescription, limit: 200))"
        : "has an unusable value for '\(field(context))': \(printable(context.debugDescription, limit: 200))"
    case .keyNotFound(let key, _): return "lacks '\(key.stringValue)'"
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

/// A settings file that cannot be used.
struct SettingsFailure: Failure, Equatable {
  let path: String
  let problem: String
  var category: FailureCategory { .badInput }
  var message: String { "\(printable(path, limit: 1024)) \(problem)" }
}
