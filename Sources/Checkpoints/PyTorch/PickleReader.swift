import Compute

/// Reads pickles of tensors: a closed subset of the pickle machine that builds data and nothing else.
///
/// Of the instructions only those that saved state dictionaries need are known, and of the globals only those of
/// `PickleGlobal`; calling one of them means making a value of `PickleGraph`. Any other instruction or name is refused
/// with the whole file before anything of it is used.
struct PickleReader {
  private(set) var graph = PickleGraph()
  private var cursor: ByteCursor
  private let path: String
  /// Of the pickle in the file, for messages.
  private let base: Int

  private var stack: [Int] = []
  /// Heights of the stack at open marks.
  private var marks: [Int] = []
  private var memo: [Int: Int] = [:]
  /// Of the instruction being run.
  private var start = 0

  /// - Parameters:
  ///   - bytes: one or more pickles, one after the other.
  ///   - base: where `bytes` begin in the file.
  init(_ bytes: UnsafeRawBufferPointer, path: String, base: Int) {
    cursor = ByteCursor(bytes)
    self.path = path
    self.base = base
  }

  /// From the start of the bytes: where the next pickle, or what follows the last one, begins.
  var offset: Int { cursor.offset }

  /// Reads the next pickle and returns its value.
  mutating func next() throws(PyTorchError) -> PickleGraph.Reference {
    (stack, marks, memo) = ([], [], [:])
    while true {
      start = cursor.offset
      guard let code = cursor.integer(UInt8.self) else { throw failure(.cutShort) }
      guard let instruction = Instruction(rawValue: code) else {
        throw failure(.forbiddenInstruction(Instruction.name(of: code)))
      }
      if instruction == .stop {
        let result = try pop()
        guard stack.isEmpty, marks.isEmpty else { throw malformed("values are left over at its end") }
        return result
      }
      try run(instruction)
    }
  }

  private enum Instruction: UInt8 {
    case proto = 0x80
    case stop = 0x2E
    case mark = 0x28
    case none = 0x4E
    case newTrue = 0x88
    case newFalse = 0x89
    case binInt = 0x4A
    case binInt1 = 0x4B
    case binInt2 = 0x4D
    case long1 = 0x8A
    case binFloat = 0x47
    case binUnicode = 0x58
    case emptyTuple = 0x29
    case tuple = 0x74
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case emptyList = 0x5D
    case append = 0x61
    case appends = 0x65
    case emptyDict = 0x7D
    case setItem = 0x73
    case setItems = 0x75
    case binPut = 0x71
    case longBinPut = 0x72
    case binGet = 0x68
    case longBinGet = 0x6A
    case global = 0x63
    case binPersistentID = 0x51
    case reduce = 0x52
    case newObject = 0x81
    case build = 0x62

    /// The published names of others that files are known to use.
    static func name(of code: UInt8) -> String {
      let known: [UInt8: String] = [
        0x93: "STACK_GLOBAL", 0x69: "INST", 0x6F: "OBJ", 0x92: "NEWOBJ_EX", 0x95: "FRAME", 0x82: "EXT1", 0x83: "EXT2",
        0x84: "EXT4", 0x50: "PERSID", 0x8C: "SHORT_BINUNICODE", 0x94: "MEMOIZE", 0x55: "SHORT_BINSTRING",
        0x54: "BINSTRING",
      ]
      return (known[code].map { "\($0) " } ?? "") + "0x" + String(code, radix: 16)
    }
  }

  private func failure(_ problem: PyTorchError.Problem) -> PyTorchError {
    PyTorchError(path: path, offset: base + start, problem: problem)
  }

  private func malformed(_ why: String) -> PyTorchError { failure(.malformedPickle(why)) }
}

// MARK: - The machine

extension PickleReader {
  private mutating func run(_ instruction: Instruction) throws(PyTorchError) {
    switch instruction {
    case .proto:
      let version = try whole(cursor.count(UInt8.self))
      guard version == 2 else { throw failure(.forbiddenInstruction("PROTO \(version)")) }
    case .stop: break
    case .mark: marks.append(stack.count)
    case .none: try push(.none)
    case .newTrue: try push(.bool(true))
    case .newFalse: try push(.bool(false))
    case .binInt: try push(.integer(whole(cursor.count(Int32.self))))
    case .binInt1: try push(.integer(whole(cursor.count(UInt8.self))))
    case .binInt2: try push(.integer(whole(cursor.count(UInt16.self))))
    case .long1: try push(long())
    case .binFloat:
      _ = try whole(cursor.take(8))
      try push(.real)
    case .binUnicode:
      let length = try whole(cursor.count(UInt32.self))
      try push(.text(text(whole(cursor.take(length)))))
    case .emptyTuple: try push(.tuple([]))
    case .tuple: try push(.tuple(Array(popToMark())))
    case .tuple1: try push(.tuple(Array(pop(1))))
    case .tuple2: try push(.tuple(Array(pop(2))))
    case .tuple3: try push(.tuple(Array(pop(3))))
    case .emptyList: try push(.list([]))
    case .append: try append(pop(1))
    case .appends: try append(popToMark())
    case .emptyDict: try push(.members([], isObject: false))
    case .setItem: try insert(pop(2))
    case .setItems: try insert(popToMark())
    case .binPut: memo[try whole(cursor.count(UInt8.self))] = try top()
    case .longBinPut: memo[try whole(cursor.count(UInt32.self))] = try top()
    case .binGet: try recall(whole(cursor.count(UInt8.self)))
    case .longBinGet: try recall(whole(cursor.count(UInt32.self)))
    case .global: try pushGlobal()
    case .binPersistentID: try push(.storage(storage(pop())))
    case .reduce:
      let arguments = try pop()
      try call(pop(), arguments)
    case .newObject:
      let arguments = try pop()
      guard case .global(.scriptClass) = graph[try pop()], graph.tuple(arguments)?.isEmpty == true else {
        throw malformed("an object of a class that takes part in no archive is made")
      }
      try push(.members([], isObject: true))
    case .build: try build(pop())
    }
  }

  private func whole<Value>(_ value: Value?) throws(PyTorchError) -> Value {
    guard let value else { throw failure(.cutShort) }
    return value
  }

  private func text(_ bytes: UnsafeRawBufferPointer) throws(PyTorchError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw malformed("a text is not UTF-8") }
    return text
  }

  private mutating func long() throws(PyTorchError) -> PickleGraph.Value {
    let bytes = try whole(cursor.take(whole(cursor.count(UInt8.self))))
    guard bytes.count <= 8 else { return .bigInteger(Array(bytes)) }
    let isNegative = bytes.last.map { $0 & 0x80 != 0 } ?? false
    return .integer(bytes.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) })
  }

  private mutating func push(_ value: PickleGraph.Value) throws(PyTorchError) {
    guard let reference = graph.add(value) else { throw failure(.tooManyValues(limit: PickleGraph.mostValues)) }
    stack.append(reference)
  }

  private mutating func recall(_ index: Int) throws(PyTorchError) {
    guard let reference = memo[index] else { throw malformed("it recalls a value that was not kept") }
    guard stack.count < PickleGraph.mostValues else { throw failure(.tooManyValues(limit: PickleGraph.mostValues)) }
    stack.append(reference)
  }

  private func top() throws(PyTorchError) -> Int {
    guard stack.count > marks.last ?? 0, let last = stack.last else { throw malformed("a value is missing") }
    return last
  }

  private mutating func pop() throws(PyTorchError) -> Int {
    let last = try top()
    stack.removeLast()
    return last
  }

  private mutating func pop(_ count: Int) throws(PyTorchError) -> ArraySlice<Int> {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("a value is missing") }
    defer { stack.removeLast(count) }
    return stack.suffix(count)
  }

  private mutating func popToMark() throws(PyTorchError) -> ArraySlice<Int> {
    guard let mark = marks.popLast() else { throw malformed("a mark is missing") }
    defer { stack.removeLast(stack.count - mark) }
    return stack[mark...]
  }

  private mutating func append(_ elements: ArraySlice<Int>) throws(PyTorchError) {
    guard graph.append(elements, to: try top()) else { throw malformed("something is appended to no list") }
  }

  private mutating func insert(_ pairs: ArraySlice<Int>) throws(PyTorchError) {
    guard graph.insert(pairs, into: try top()) else { throw malformed("something is inserted into no dictionary") }
  }
}

// MARK: - What the allowed names mean

extension PickleReader {
  private mutating func pushGlobal() throws(PyTorchError) {
    let module = try text(whole(cursor.line()))
    let name = try text(whole(cursor.line()))
    guard let global = PickleGlobal(module: module, name: name) else {
      throw failure(.forbiddenGlobal("\(module).\(name)"))
    }
    try push(.global(global))
  }

  private mutating func call(_ callee: Int, _ arguments: Int) throws(PyTorchError) {
    guard case .global(let global) = graph[callee], let arguments = graph.tuple(arguments) else {
      throw malformed("something is called that is no function")
    }
    switch global {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw malformed("a dictionary is made from something") }
      try push(.members([], isObject: false))
    case .rebuildTensor: try push(.tensor(tensor(arguments)))
    case .rebuildParameter:
      guard let first = arguments.first, case .tensor = graph[first] else {
        throw malformed("a parameter has no tensor")
      }
      stack.append(first)
    case .storage, .scriptClass: throw malformed("a type is called as a function")
    }
  }

  /// From (storage, offset, sizes, strides, requires gradients, hooks); the last two say nothing about the values.
  private func tensor(_ arguments: [Int]) throws(PyTorchError) -> TensorReference {
    guard (5...7).contains(arguments.count), case .storage(let storage) = graph[arguments[0]],
      let offset = graph.integer(arguments[1]), let sizes = graph.tuple(arguments[2]),
      let strides = graph.tuple(arguments[3]), sizes.count == strides.count
    else { throw malformed("a tensor is not described as it should be") }
    let extents = sizes.compactMap { graph.integer($0) }
    let steps = strides.compactMap { graph.integer($0) }
    guard extents.count == sizes.count, steps.count == strides.count else {
      throw malformed("a tensor's sizes are no numbers")
    }
    return TensorReference(storage: storage, offset: offset, extents: extents, strides: steps)
  }

  /// From ("storage", type, key, device, element count), in the older layout followed by a view, which must be absent.
  private func storage(_ identifier: Int) throws(PyTorchError) -> StorageReference {
    guard let parts = graph.tuple(identifier), (5...6).contains(parts.count), graph.text(parts[0]) == "storage",
      case .global(.storage(let dtype)) = graph[parts[1]], let key = graph.text(parts[2]),
      let count = graph.integer(parts[4]), count >= 0
    else { throw malformed("a storage is not described as it should be") }
    if parts.count == 6 {
      guard case .none = graph[parts[5]] else { throw failure(.storageView(key: key)) }
    }
    return StorageReference(key: key, dtype: dtype, elementCount: count)
  }

  /// Gives an object its attributes; a dictionary keeps what it has, the rest is bookkeeping (`_metadata`).
  private mutating func build(_ state: Int) throws(PyTorchError) {
    let target = try top()
    guard case .members(_, let isObject) = graph[target], case .members(let attributes, false) = graph[state] else {
      throw malformed("state is given to something that has none")
    }
    if isObject { _ = graph.insert(attributes.flatMap { [$0.key, $0.value] }[...], into: target) }
  }
}
