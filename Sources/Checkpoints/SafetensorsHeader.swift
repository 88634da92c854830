import Compute
import Runtime

/// The header of a safetensors file, checked completely: every tensor lies inside of the file, has the size its shape
/// and type ask for, and all together cover the data without holes or overlaps.
///
/// The layout is: header length (8 bytes, little endian), header (JSON), data. The header is one object whose members
/// are `"name": {"dtype": …, "shape": […], "data_offsets": [begin, end]}` with offsets relative to the data, and
/// optionally `"__metadata__"`, an object of strings. Padding by white space on either side is allowed.
struct SafetensorsHeader: Sendable {
  /// A tensor's place in the file.
  struct Entry: Sendable {
    let dtype: DType
    let shape: Shape
    /// From the start of the file.
    let bytes: Range<Int>
  }

  /// In the order of the header.
  private(set) var names: [String] = []
  private(set) var entries: [String: Entry] = [:]
  private(set) var metadata: [String: String] = [:]

  /// Limits of the format, and of what a model can reasonably need: parsing stays quick and small whatever a file
  /// claims. `mostTensors` bounds the metadata too.
  static let longest = 100_000_000
  static let mostTensors = 200_000
  static let mostDimensions = 64

  private let path: String
  private let fileSize: Int
  private let dataStart: Int

  /// Reads and checks the header of the file at `path`, whose contents are `file`.
  init(_ file: UnsafeRawBufferPointer, path: String) throws {
    func failure(_ problem: SafetensorsError.Problem) -> SafetensorsError {
      SafetensorsError(path: path, offset: 0, problem: problem)
    }
    if let format = ForeignFormat(file) { throw failure(.otherFormat(format)) }
    guard file.count >= 8 else { throw failure(.fileTooShort(byteCount: file.count)) }
    let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
    guard length <= Self.longest else { throw failure(.headerTooLong(length)) }
    guard length <= file.count - 8 else {
      throw failure(.headerBeyondFile(headerLength: length, fileSize: file.count))
    }
    self.path = path
    fileSize = file.count
    dataStart = 8 + Int(length)
    do {
      try parse(UnsafeRawBufferPointer(rebasing: file[8..<dataStart]))
    } catch let error as JSONError {
      throw SafetensorsError(path: path, offset: 8 + error.offset, problem: .header(error.problem))
    }
    try checkCoverage()
  }
}

// MARK: - Parsing

extension SafetensorsHeader {
  private mutating func parse(_ text: UnsafeRawBufferPointer) throws {
    var scanner = JSONScanner(text)
    var hasMetadata = false
    var members = try scanner.beginObject()
    while let (name, offset) = try scanner.nextKey(&members) {
      let isRepeated: Bool
      if name == "__metadata__" {
        isRepeated = hasMetadata
        hasMetadata = true
        metadata = try Self.parseMetadata(&scanner)
      } else {
        guard entries.count < Self.mostTensors else { throw failure(.tooManyTensors(limit: Self.mostTensors), offset) }
        isRepeated = entries.updateValue(try parseEntry(name, &scanner), forKey: name) != nil
        names.append(name)
      }
      if isRepeated { throw JSONError(offset: offset, problem: .duplicateKey(name)) }
    }
    try scanner.takeEnd()
  }

  private static func parseMetadata(_ scanner: inout JSONScanner) throws -> [String: String] {
    var result: [String: String] = [:]
    var members = try scanner.beginObject()
    while let (key, offset) = try scanner.nextKey(&members) {
      guard result.count < mostTensors else {
        throw JSONError(offset: offset, problem: .tooManyValues(limit: mostTensors))
      }
      guard result.updateValue(try scanner.string(), forKey: key) == nil else {
        throw JSONError(offset: offset, problem: .duplicateKey(key))
      }
    }
    return result
  }

  private func parseEntry(_ name: String, _ scanner: inout JSONScanner) throws -> Entry {
    var dtype: DType?
    var shape: [Int]?
    var offsets: [Int]?
    var members = try scanner.beginObject()
    let start = scanner.offset
    while let (field, offset) = try scanner.nextKey(&members) {
      let isRepeated: Bool
      switch field {
      case "dtype":
        isRepeated = dtype != nil
        let type = try scanner.string()
        dtype = DType(safetensorsName: type)
        if dtype == nil { throw failure(.unknownElementType(tensor: name, type: type), offset) }
      case "shape":
        isRepeated = shape != nil
        shape = try Self.parseNaturals(&scanner, upTo: Self.mostDimensions)
        if shape == nil { throw failure(.tooManyDimensions(tensor: name, limit: Self.mostDimensions), offset) }
      case "data_offsets":
        isRepeated = offsets != nil
        offsets = try Self.parseNaturals(&scanner, upTo: 2)
        if offsets?.count != 2 { throw scanner.expected("two data_offsets", at: offset) }
      default:
        throw failure(.unknownField(tensor: name, field: field), offset)
      }
      if isRepeated { throw JSONError(offset: offset, problem: .duplicateKey(field)) }
    }
    guard let dtype else { throw failure(.missingField(tensor: name, field: "dtype"), start) }
    guard let shape else { throw failure(.missingField(tensor: name, field: "shape"), start) }
    guard let offsets else { throw failure(.missingField(tensor: name, field: "data_offsets"), start) }
    do throws(SafetensorsError.Problem) {
      return Entry(dtype: dtype, shape: Shape(shape), bytes: try place(name, dtype, shape, offsets[0], offsets[1]))
    } catch {
      throw failure(error, start)
    }
  }

  /// A list of whole numbers; nil if there are more than `limit`.
  private static func parseNaturals(_ scanner: inout JSONScanner, upTo limit: Int) throws(JSONError) -> [Int]? {
    var result: [Int] = []
    var list = try scanner.beginList()
    while try scanner.hasNext(&list) {
      guard result.count < limit else { return nil }
      result.append(try scanner.natural())
    }
    return result
  }

  /// - Parameter offset: from the start of the header.
  private func failure(_ problem: SafetensorsError.Problem, _ offset: Int) -> SafetensorsError {
    SafetensorsError(path: path, offset: 8 + offset, problem: problem)
  }
}

// MARK: - Checking

extension SafetensorsError.Problem: Error {}

extension SafetensorsHeader {
  /// The bytes of a tensor in the file, if its offsets, shape and type agree with each other and with the file.
  private func place(
    _ name: String, _ dtype: DType, _ shape: [Int], _ begin: Int, _ end: Int
  ) throws(SafetensorsError.Problem) -> Range<Int> {
    var size = dtype.byteCount
    for extent in shape {
      // Strides are products without the zeros, so these must not overflow either.
      let (product, overflows) = size.multipliedReportingOverflow(by: max(extent, 1))
      guard !overflows else { throw .shapeOverflow(tensor: name) }
      size = product
    }
    let needed = shape.contains(0) ? 0 : size
    guard begin <= end else { throw .reversedOffsets(tensor: name) }
    guard end <= fileSize - dataStart else {
      throw .beyondData(tensor: name, end: end, dataSize: fileSize - dataStart)
    }
    guard end - begin == needed else {
      throw .sizeMismatch(tensor: name, shape: Shape(shape).description, needed: needed, found: end - begin)
    }
    return dataStart + begin..<dataStart + end
  }

  /// Throws unless the tensors, ordered by place, follow each other without a gap from the first byte to the last.
  private func checkCoverage() throws(SafetensorsError) {
    let ordered = entries.sorted {
      ($0.value.bytes.lowerBound, $0.value.bytes.upperBound) < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound)
    }
    var end = dataStart
    var previous = ""
    for (name, entry) in ordered {
      let begin = entry.bytes.lowerBound
      guard begin >= end else {
        throw SafetensorsError(path: path, offset: begin, problem: .overlap(tensor: name, with: previous))
      }
      guard begin == end else {
        throw SafetensorsError(path: path, offset: end, problem: .hole(before: name, byteCount: begin - end))
      }
      end = entry.bytes.upperBound
      previous = name
    }
    guard end == fileSize else {
      throw SafetensorsError(path: path, offset: end, problem: .trailingBytes(fileSize - end))
    }
  }
}

extension DType {
  /// The name of this type in safetensors headers.
  var safetensorsName: String {
    switch self {
    case .float64: "F64"
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .int64: "I64"
    case .int32: "I32"
    case .int16: "I16"
    case .int8: "I8"
    case .uint8: "U8"
    case .bool: "BOOL"
    }
  }

  init?(safetensorsName name: String) {
    guard let type = Self.bySafetensorsName[name] else { return nil }
    self = type
  }

  private static let bySafetensorsName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.safetensorsName, $0) })
}
