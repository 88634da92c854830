import Compute
import Runtime
import Synchronization
import Tensors

/// Gives layers their parameters while a model is built, and keeps account of what was asked for.
///
/// Building never stops at the first fault: a missing or mis-shaped tensor is noted and stands in as zeros, and
/// `finish` reports all faults at once, so nothing half-loaded ever runs.
package final class ParameterLoader: Sendable {
  private struct State {
    var parameters: [Parameter] = []
    var missing: [String] = []
    var faults: [String] = []
    var adapterFailures: [AdapterFailure] = []
    var adapted: Set<String> = []
  }

  private let source: any ParameterSource
  private let adapters: [any AdapterSource]
  private let isTrainable: @Sendable (String) -> Bool
  private let state = Mutex(State())

  /// - Parameters:
  ///   - adapters: of linear maps; a map may have several.
  ///   - isTrainable: which keys' parameters are to get gradients; none by default.
  package init(
    _ source: any ParameterSource, adapters: [any AdapterSource] = [],
    training isTrainable: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.source = source
    self.adapters = adapters
    self.isTrainable = isTrainable
  }

  /// The scope at the top of the checkpoint's key hierarchy.
  package var root: ParameterScope { ParameterScope(loader: self, path: "") }

  /// All parameters in the order in which layers asked for them.
  package var parameters: [Parameter] { state.withLock { $0.parameters } }

  fileprivate func firstPresent(of keys: [String]) -> String? {
    let present = source.keys
    return keys.first { present.contains($0) }
  }

  fileprivate func parameter(_ key: String, _ shape: Shape, _ initially: Initialization?) -> Parameter {
    var fault: String?
    var isMissing = false
    var found: Tensor?
    do {
      if let tensor = try source.tensor(key, shape, initially: initially ?? .usual(key, shape)) {
        if tensor.shape == shape, tensor.dtype.isWeight {
          found = tensor
        } else if tensor.shape == shape, tensor.dtype == .float64 {
          // Position tables are published in float64 at times; they are used as float32.
          found = tensor.dense()
        } else if tensor.dtype.isWeight {
          fault = "'\(printable(key))' has shape \(tensor.shape), the configuration needs \(shape)"
        } else {
          fault = "'\(printable(key))' is stored as \(tensor.dtype.rawValue), not as float32, float16 or bfloat16"
        }
      } else {
        isMissing = true
      }
    } catch {
      fault = (error as? any Failure)?.message ?? "\(error)"
    }
    let parameter = Parameter(
      key: key, tensor: found ?? Self.standIn(shape), isTrainable: isTrainable(key))
    state.withLock { state in
      state.parameters.append(parameter)
      if isMissing { state.missing.append(key) }
      if let fault { state.faults.append(fault) }
    }
    return parameter
  }

  /// The adapters of a linear map; one that does not fit is noted and left out.
  fileprivate func adapters(at path: String, inputs: Int, outputs: Int) -> [LowRankAdapter] {
    adapters.compactMap { source in
      let values: AdapterValues?
      do throws(AdapterFailure) {
        values = try source.adapter(at: path, inputs: inputs, outputs: outputs)
      } catch {
        state.withLock { $0.adapterFailures.append(error) }
        return nil
      }
      guard let values else { return nil }
      func parameter(_ name: String, _ tensor: Tensor) -> Parameter {
        Parameter(key: "\(path).\(name)", tensor: tensor, isTrainable: values.isTrainable)
      }
      let adapter = LowRankAdapter(
        down: parameter(AdapterKeys.down, values.down), up: parameter(AdapterKeys.up, values.up), scale: values.scale)
      state.withLock { state in
        state.parameters += [adapter.down, adapter.up]
        state.adapted.insert(path)
      }
      return adapter
    }
  }

  /// Throws the first fault of the adapters: one that does not fit its linear map, or has none in this model.
  package func finishAdapters() throws(AdapterFailure) {
    let state = self.state.withLock { $0 }
    if let failure = state.adapterFailures.first { throw failure }
    for source in adapters {
      let unknown = source.paths.filter { !state.adapted.contains($0) }
      if !unknown.isEmpty { throw .unknownTargets(path: source.description, unknown) }
    }
  }

  /// Zeros that take no memory, whatever the shape.
  private static func standIn(_ shape: Shape) -> Tensor {
    let zero = Tensor.zeros([1])
    return Tensor(
      storage: zero.storage,
      layout: Layout(shape: shape, strides: Array(repeating: 0, count: shape.rank), offset: 0), dtype: .float32)
  }

  /// Throws if any parameter was missing or mis-shaped; returns the source's keys that no layer asked for.
  ///
  /// - Parameter ignorable: keys that published checkpoints carry without use, left out of the result.
  @discardableResult
  package func finish(ignoring ignorable: (String) -> Bool = { _ in false }) throws(LoadingFailure) -> [String] {
    let state = self.state.withLock { $0 }
    let used = Set(state.parameters.map(\.key))
    let unused = source.keys.filter { !used.contains($0) && !ignorable($0) }
    guard state.missing.isEmpty, state.faults.isEmpty else {
      throw LoadingFailure(
        source: source.description, missing: state.missing, faults: state.faults, unused: unused)
    }
    return unused
  }

  /// As `finish`, but keys that no layer asked for are faults too: the file is of another model.
  package func finishExactly(ignoring ignorable: (String) -> Bool = { _ in false }) throws(LoadingFailure) {
    let unused = try finish(ignoring: ignorable)
    guard unused.isEmpty else {
      throw LoadingFailure(source: source.description, missing: [], faults: [], unused: unused)
    }
  }
}

/// A place in the key hierarchy: scopes join to dotted paths, and layers take their parameters from one.
package struct ParameterScope: Sendable {
  fileprivate let loader: ParameterLoader
  package let path: String

  /// The scope one component further down.
  package func callAsFunction(_ component: String) -> ParameterScope {
    ParameterScope(loader: loader, path: path.isEmpty ? component : "\(path).\(component)")
  }

  package func callAsFunction(_ index: Int) -> ParameterScope { self("\(index)") }

  /// The parameter `name` of this scope.
  ///
  /// - Parameter initially: how it starts without a checkpoint, where name and shape do not say it.
  package func parameter(_ name: String, _ shape: Shape, initially: Initialization? = nil) -> Parameter {
    loader.parameter(path.isEmpty ? name : "\(path).\(name)", shape, initially)
  }

  /// The parameter under the first of `names` that the source holds, or under the first of all if it holds none:
  /// published files store a weight that two layers share under one name or several.
  package func parameter(
    firstOf names: [String], _ shape: Shape, initially: Initialization? = nil
  ) -> Parameter {
    let paths = names.map { path.isEmpty ? $0 : "\(path).\($0)" }
    return loader.parameter(loader.firstPresent(of: paths) ?? paths[0], shape, initially)
  }

  /// The adapters of the linear map at this scope.
  func adapters(inputs: Int, outputs: Int) -> [LowRankAdapter] {
    loader.adapters(at: path, inputs: inputs, outputs: outputs)
  }

  /// Parameters handed out so far; a segment uses it to know which are its own.
  var parameters: [Parameter] { loader.parameters }
}

/// A checkpoint that does not fit the model's configuration.
package struct LoadingFailure: Failure, Equatable {
  package let source: String
  package let missing: [String]
  package let faults: [String]
  package let unused: [String]

  package var category: FailureCategory { .badInput }
  package var message: String {
    var clauses: [String] = []
    if !missing.isEmpty { clauses.append(Self.list(missing.map { printable($0) }, "missing tensors")) }
    if !faults.isEmpty { clauses.append(Self.list(faults, "wrong tensors")) }
    if !unused.isEmpty { clauses.append(Self.list(unused.map { printable($0) }, "unexpected tensors")) }
    return "\(source): the weights do not fit the model: " + clauses.joined(separator: "; ")
  }

  /// The first ten entries and the count.
  private static func list(_ entries: [String], _ title: String) -> String {
    let shown = entries.prefix(10).joined(separator: ", ")
    return "\(entries.count) \(title): \(shown)" + (entries.count > 10 ? ", …" : "")
  }
}
