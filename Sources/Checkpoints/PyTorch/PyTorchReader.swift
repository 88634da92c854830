import Compute
import Runtime
import Tensors

/// Weights in a file of PyTorch's own (`.pth`, `.pt`, `.bin`), read without running anything of it.
///
/// Three layouts are known: the zip archive of a state dictionary, the zip archive of a TorchScript module (its tensors;
/// its code is not looked at), and the sequence of pickles of older versions. Where the file holds a training state, its
/// member `state_dict` is what counts. Names of nested members are joined with dots.
///
/// The whole file is checked when it is opened; tensors are views of the mapping.
package struct PyTorchReader: TensorFile {
  private let file: MappedFile
  /// Names of the tensors, in the order of the file.
  package let names: [String]
  private let views: [String: TensorReference]
  private let storages: [String: Storage]

  private static let deepest = 64
  private static let mostTensors = 200_000
  private static let mostDimensions = 64

  /// Throws `PyTorchError`, or `FileFailure` if the file cannot be opened.
  package init(path: String) throws {
    let file = try MappedFile(path: path)
    let contents = try Self.contents(of: file)
    let tensors = try contents.tensors()
    var storages: [String: Storage] = [:]
    var views: [String: TensorReference] = [:]
    for (name, view) in tensors {
      try contents.check(view, name)
      guard views.updateValue(view, forKey: name) == nil else { throw contents.failure(.repeatedTensor(name)) }
      let key = view.storage.key
      if storages[key] == nil {
        storages[key] = try Self.storage(contents.range(of: view.storage), of: file, view.storage.dtype)
      }
    }
    self.file = file
    self.views = views
    self.storages = storages
    names = tensors.map(\.name)
  }

  package var path: String { file.path }
  package func shape(of name: String) -> Shape? { views[name].map { Shape($0.extents) } }
  package func dtype(of name: String) -> DType? { views[name]?.storage.dtype }

  package func tensor(named name: String) throws -> Tensor {
    guard let view = views[name], let storage = storages[view.storage.key] else {
      throw CheckpointError.missingTensor(path: path, name: name)
    }
    try file.checkUnchanged()
    let layout = Layout(shape: Shape(view.extents), strides: view.strides, offset: view.offset)
    return Tensor(storage: storage, layout: layout, dtype: view.storage.dtype)
  }

  package func checkUnchanged() throws(FileFailure) { try file.checkUnchanged() }

  /// Data that does not lie on a multiple of its element size is copied, because kernels need aligned elements.
  private static func storage(_ range: Range<Int>, of file: MappedFile, _ dtype: DType) -> Storage {
    let mapped = Storage(mapping: file, range)
    guard range.lowerBound % dtype.byteCount != 0 else { return mapped }
    let owned = Storage(byteCount: range.count)
    owned.bytes.copyMemory(from: UnsafeRawBufferPointer(mapped.bytes))
    return owned
  }
}

// MARK: - Layouts of the file

extension PyTorchReader {
  private static func contents(of file: MappedFile) throws(PyTorchError) -> PickledTensors {
    switch ForeignFormat(file.bytes) {
    case .zip: return try archived(file)
    case .pickle: return try legacy(file)
    case .some(let other): throw PyTorchError(path: file.path, offset: 0, problem: .otherFormat(other))
    case nil:
      // An empty pickle is shorter than what `ForeignFormat` recognises.
      if file.bytes.first == 0x80 { return try legacy(file) }
      throw PyTorchError(path: file.path, offset: 0, problem: .notPyTorch)
    }
  }

  /// A zip archive: `<root>/data.pkl`, a record `<root>/data/<key>` for each storage, and a few marks.
  private static func archived(_ file: MappedFile) throws(PyTorchError) -> PickledTensors {
    let records = try StoredArchive(file.bytes, path: file.path).records
    let pickles = records.keys.filter { $0.hasSuffix("/data.pkl") }.sorted()
    guard pickles.count == 1, let pickle = pickles.first, let bytes = records[pickle] else {
      throw PyTorchError(path: file.path, offset: 0, problem: .missingRecord("data.pkl"))
    }
    let root = pickle.dropLast("data.pkl".count)
    if let order = records["\(root)byteorder"], !file.bytes[order].elementsEqual("little".utf8) {
      throw PyTorchError(path: file.path, offset: order.lowerBound, problem: .bigEndian)
    }
    var reader = PickleReader(
      UnsafeRawBufferPointer(rebasing: file.bytes[bytes]), path: file.path, base: bytes.lowerBound)
    let object = try reader.next()
    guard reader.offset == bytes.count else {
      throw PyTorchError(
        path: file.path, offset: bytes.lowerBound + reader.offset, problem: .trailingBytes(bytes.count - reader.offset))
    }
    let prefix = "\(root)data/"
    let data = records.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) }
    return PickledTensors(
      path: file.path, graph: reader.graph, root: object, data: Dictionary(uniqueKeysWithValues: data),
      recordName: { prefix + $0 })
  }

  private static let legacyMagic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

  /// Pickles of a magic number, the version, facts of the machine, the object and the keys of its storages; then for each
  /// storage its element count and its data.
  private static func legacy(_ file: MappedFile) throws(PyTorchError) -> PickledTensors {
    var reader = PickleReader(file.bytes, path: file.path, base: 0)
    let magic = try reader.next()
    guard case .bigInteger(legacyMagic) = reader.graph[magic] else {
      throw PyTorchError(path: file.path, offset: 0, problem: .notPyTorch)
    }
    let version = try reader.next()
    let machine = try reader.next()
    guard reader.graph.integer(version) == 1001 else {
      throw PyTorchError(path: file.path, offset: 0, problem: .malformedPickle("its version is not 1001"))
    }
    if let order = reader.graph.member("little_endian", of: machine), case .bool(false) = reader.graph[order] {
      throw PyTorchError(path: file.path, offset: 0, problem: .bigEndian)
    }
    let object = try reader.next()
    let keys = try reader.next()
    guard case .list(let keys) = reader.graph[keys] else {
      throw PyTorchError(path: file.path, offset: reader.offset, problem: .malformedPickle("it lists no storages"))
    }
    var dtypes: [String: DType] = [:]
    for case .storage(let storage) in reader.graph.values { dtypes[storage.key] = storage.dtype }
    var data: [String: Range<Int>] = [:]
    var cursor = ByteCursor(file.bytes, at: reader.offset)
    for key in keys {
      let start = cursor.offset
      guard let key = reader.graph.text(key), let dtype = dtypes[key] else {
        throw PyTorchError(path: file.path, offset: start, problem: .malformedPickle("it lists a storage of no tensor"))
      }
      guard let count = cursor.count(UInt64.self),
        case (let size, let overflows) = count.multipliedReportingOverflow(by: dtype.byteCount), !overflows,
        cursor.take(size) != nil
      else { throw PyTorchError(path: file.path, offset: start, problem: .cutShort) }
      guard data.updateValue(start + 8..<cursor.offset, forKey: key) == nil else {
        throw PyTorchError(path: file.path, offset: start, problem: .repeatedRecord(key))
      }
    }
    guard cursor.remaining == 0 else {
      throw PyTorchError(path: file.path, offset: cursor.offset, problem: .trailingBytes(cursor.remaining))
    }
    return PickledTensors(path: file.path, graph: reader.graph, root: object, data: data, recordName: { $0 })
  }

  /// A pickled object and the places of its storages.
  private struct PickledTensors {
    let path: String
    let graph: PickleGraph
    let root: Int
    let data: [String: Range<Int>]
    /// What a storage's data is called in the file.
    let recordName: (String) -> String

    func failure(_ problem: PyTorchError.Problem, _ offset: Int = 0) -> PyTorchError {
      PyTorchError(path: path, offset: offset, problem: problem)
    }

    /// The tensors below the root, or below its member `state_dict`, by their joined names.
    func tensors() throws(PyTorchError) -> [(name: String, view: TensorReference)] {
      var result: [(name: String, view: TensorReference)] = []
      var visited = 0
      var waiting: [(prefix: String, reference: Int, depth: Int)] = [
        ("", graph.member("state_dict", of: root) ?? root, 0)
      ]
      // The last in is the first out, so members wait in reverse.
      while let (prefix, reference, depth) = waiting.popLast() {
        visited += 1
        // A value may be reached in many ways, so the number of values is no bound of the walk.
        guard visited <= PickleGraph.mostValues else { throw failure(.tooManyValues(limit: PickleGraph.mostValues)) }
        switch graph[reference] {
        case .tensor(let view):
          guard !prefix.isEmpty else { throw failure(.noTensors) }
          guard result.count < mostTensors else { throw failure(.tooManyValues(limit: mostTensors)) }
          result.append((prefix, view))
        case .members(let members, _):
          guard depth < deepest else { throw failure(.tooDeep(limit: deepest)) }
          for (key, value) in members.reversed() {
            guard let name = graph.text(key) ?? graph.integer(key).map(String.init) else { continue }
            waiting.append((prefix.isEmpty ? name : "\(prefix).\(name)", value, depth + 1))
          }
        default: break
        }
      }
      guard !result.isEmpty else { throw failure(.noTensors) }
      return result
    }

    /// The bytes of a storage, if the file has as many as it needs.
    func range(of storage: StorageReference) throws(PyTorchError) -> Range<Int> {
      guard let bytes = data[storage.key] else { throw failure(.missingRecord(recordName(storage.key))) }
      let (size, overflows) = storage.elementCount.multipliedReportingOverflow(by: storage.dtype.byteCount)
      guard !overflows, size == bytes.count else {
        throw failure(
          .storageSize(key: storage.key, needed: overflows ? Int.max : size, found: bytes.count), bytes.lowerBound)
      }
      return bytes
    }

    /// Throws unless a tensor lies inside of its storage and is no larger than that.
    func check(_ view: TensorReference, _ name: String) throws(PyTorchError) {
      let start = try range(of: view.storage).lowerBound
      guard view.extents.count <= mostDimensions else {
        throw failure(.tooManyDimensions(tensor: name, limit: mostDimensions), start)
      }
      guard view.offset >= 0, (view.extents + view.strides).allSatisfy({ $0 >= 0 }) else {
        throw failure(.negativeExtent(tensor: name), start)
      }
      let elements = view.storage.elementCount
      // Also of a tensor without elements: its other extents and its offset must be numbers one can compute with.
      var (count, last, isInside) = (1, view.offset, view.offset <= elements)
      for (extent, stride) in zip(view.extents, view.strides) {
        let (product, countOverflows) = count.multipliedReportingOverflow(by: max(extent, 1))
        let (reach, reachOverflows) = (max(extent, 1) - 1).multipliedReportingOverflow(by: stride)
        let (sum, sumOverflows) = last.addingReportingOverflow(reach)
        isInside = isInside && !countOverflows && !reachOverflows && !sumOverflows
        (count, last) = (product, sum)
      }
      let isEmpty = view.extents.contains(0)
      // A stride of zero would let a tiny file stand for a tensor of any size.
      guard isInside, isEmpty || (last < elements && count <= elements) else {
        throw failure(.outsideStorage(tensor: name, elements: elements), start)
      }
    }
  }
}
