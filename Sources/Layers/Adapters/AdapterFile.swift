import Checkpoints
import Compute
import Runtime
import Tensors

/// A LoRA file of one transformer, in the layouts of diffusers and PEFT.
///
/// Keys are the linear maps' paths, after a prefix such as `transformer.`, with `lora_A.weight` and `lora_B.weight` or
/// `lora.down.weight` and `lora.up.weight` behind them; `alpha` may stand beside them. The change is scaled by alpha /
/// rank, with alpha from the tensors, else from the metadata, else equal to the rank.
package struct AdapterFile: AdapterSource {
  package let path: String
  private let reader: SafetensorsReader
  private let places: [String: Place]
  private let metadata: AdapterMetadata
  package let scale: Double
  private let isTrainable: Bool

  /// Where the tensors of one adapter are.
  private struct Place: Sendable {
    var down: String?
    var up: String?
    var alpha: String?
  }

  private static let prefixes = ["transformer.", "base_model.model.", "diffusion_model."]
  private static let downEndings = [
    ".lora_A.weight", ".lora_A.default.weight", ".lora.down.weight", ".lora_down.weight",
  ]
  private static let upEndings = [".lora_B.weight", ".lora_B.default.weight", ".lora.up.weight", ".lora_up.weight"]

  /// Opens the file and checks that its tensors come in pairs of one rank.
  ///
  /// - Parameters:
  ///   - scale: factor of all changes. - isTrainable: whether the adapters are trained on.
  package init(path: String, scale: Double = 1, isTrainable: Bool = false) throws {
    self.path = path
    self.scale = scale
    self.isTrainable = isTrainable
    reader = try SafetensorsReader(path: path)
    metadata = try AdapterMetadata(reader.metadata, path: path)
    var places: [String: Place] = [:]
    for key in reader.names {
      let (target, part) = try Self.place(of: key, path: path)
      places[target, default: Place()][keyPath: part] = key
    }
    guard !places.isEmpty else { throw AdapterFailure.empty(path: path) }
    self.places = places
    for target in places.keys.sorted() { try check(target) }
  }

  private static func place(
    of key: String, path: String
  ) throws(AdapterFailure) -> (target: String, part: WritableKeyPath<Place, String?>) {
    let prefix = prefixes.first(where: key.hasPrefix) ?? ""
    let kinds: [(endings: [String], part: WritableKeyPath<Place, String?>)] = [
      (downEndings, \.down), (upEndings, \.up), ([".alpha"], \.alpha),
    ]
    for (endings, part) in kinds {
      if let ending = endings.first(where: key.hasSuffix) {
        return (String(key.dropFirst(prefix.count).dropLast(ending.count)), part)
      }
    }
    throw .unknownKey(path: path, key: key)
  }

  private func check(_ target: String) throws(AdapterFailure) {
    guard let (down, up) = keys(of: target), let rows = reader.shape(of: down), let columns = reader.shape(of: up)
    else {
      let missing = places[target]?.down == nil ? "A (down)" : "B (up)"
      throw .incomplete(path: path, target: target, missing: missing)
    }
    for key in [down, up] where reader.dtype(of: key)?.isWeight != true { throw .notAWeight(path: path, key: key) }
    guard rows.rank == 2, columns.rank == 2, rows[0] > 0, rows[0] == columns[1] else {
      throw .shapes(path: path, target: target, down: rows, up: columns, inputs: rows[-1], outputs: columns[0])
    }
    if let rank = metadata.rank, rank != rows[0] {
      throw .metadata(path: path, problem: "says rank \(rank), but '\(printable(target))' has rank \(rows[0])")
    }
  }

  private func keys(of target: String) -> (down: String, up: String)? {
    guard let place = places[target], let down = place.down, let up = place.up else { return nil }
    return (down, up)
  }
}

// MARK: - Using the file

extension AdapterFile {
  package var paths: [String] { places.keys.sorted() }
  package var description: String { path }

  package func adapter(at target: String, inputs: Int, outputs: Int) throws(AdapterFailure) -> AdapterValues? {
    guard let (downKey, upKey) = keys(of: target) else { return nil }
    do {
      let (down, up) = (try reader.tensor(named: downKey), try reader.tensor(named: upKey))
      guard down.shape[1] == inputs, up.shape[0] == outputs else {
        throw AdapterFailure.shapes(
          path: path, target: target, down: down.shape, up: up.shape, inputs: inputs, outputs: outputs)
      }
      let rank = Double(down.shape[0])
      let alpha = try places[target]?.alpha.map(storedAlpha) ?? metadata.alpha ?? rank
      return AdapterValues(down: down, up: up, scale: Float(scale * alpha / rank), isTrainable: isTrainable)
    } catch let failure as AdapterFailure {
      throw failure
    } catch {
      throw .metadata(path: path, problem: "cannot be read: \((error as? any Failure)?.message ?? "\(error)")")
    }
  }

  private func storedAlpha(_ key: String) throws -> Double {
    let tensor = try reader.tensor(named: key)
    guard tensor.count == 1, let value = tensor.doubles().first, value.isFinite else {
      throw AdapterFailure.metadata(path: path, problem: "has an alpha '\(printable(key))' that is no single number")
    }
    return value
  }

  /// How the model read its references when the adapters were trained, if the file says so.
  package var notes: [String: String] { metadata.notes }

  /// Ranks of all adapters, each once.
  package var ranks: [Int] { Set(paths.compactMap { keys(of: $0).flatMap { reader.shape(of: $0.down)?[0] } }).sorted() }
  /// The alpha of the metadata.
  package var alpha: Double? { metadata.alpha }
  package var parameterCount: Int {
    paths.reduce(0) { count, target in
      guard let (down, up) = keys(of: target) else { return count }
      return count + [down, up].reduce(0) { $0 + (reader.shape(of: $1)?.count ?? 0) }
    }
  }
}

// MARK: - Writing

extension AdapterFile {
  /// The name that published programs look for.
  package static let publishedName = "pytorch_lora_weights.safetensors"

  /// Writes trained adapters as the published trainer does.
  ///
  /// - Parameter weights: of a model by their keys; those that are no adapter's are left out.
  package static func write(
    _ weights: [(key: String, tensor: Tensor)], _ export: AdapterExport, to path: String
  ) throws {
    let tensors = weights.filter { AdapterKeys.contain($0.key) }.map {
      (name: "transformer.\($0.key)", tensor: $0.tensor.detached)
    }
    try SafetensorsWriter.write(
      tensors, metadata: AdapterMetadata.text(export), to: path)
  }
}
