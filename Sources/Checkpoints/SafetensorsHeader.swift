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

  /// Limits of the format, and of what a model can reasonably need: parsing stays quick whatever a file claims.
  static let longest = 100_000_000
  static let mostTensors = 500_000
  static let mostDimensions = 64

  private let path: String
  private let fileSize: Int
  private let dataStart: Int

  /// Reads and checks the header of the file at `path`, whose contents are `file`.
  init(_ file: UnsafeRawBufferPointer, path: String) throws(SafetensorsError) {
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
    var scanner = HeaderScanner(UnsafeRawBufferPointer(rebasing: file[8..<dataStart]), path: path, origin: 8)
    try parse(&scanner)
    try checkCoverage()
  }
}

// MARK: - Parsing

extension SafetensorsHeader {
  private mutating func parse(_ scanner: inout HeaderScanner) throws(SafetensorsError) {
    var hasMetadata = false
    try scanner.object { (scanner, name, offset) throws(SafetensorsError) in
      if name == "__metadata__" {
        guard !hasMetadata else { throw scanner.failure(.duplicateName(name), at: offset) }
        hasMetadata = true
        metadata = try Self.parseMetadata(&scanner)
      } else {
        guard entries.count < Self.mostTensors else {
          throw scanner.failure(.tooManyTensors(limit: Self.mostTensors), at: offset)
        }
        let entry = try parseEntry(name, &scanner)
        guard entries.updateValue(entry, forKey: name) == nil else {
          throw scanner.failure(.duplicateName(name), at: offset)
        }
        names.append(name)
      }
    }
    try scanner.end()
  }

  private static func parseMetadata(_ scanner: inout HeaderScanner) throws(SafetensorsError) -> [String: String] {
    var result: [String: String] = [:]
    try scanner.object { (scanner, key, offset) throws(SafetensorsError) in
      let value = try scanner.string()
      guard result.updateValue(value, forKey: key) == nil else {
        throw scanner.failure(.duplicateName(key), at: offset)
      }
    }
    return result
  }

  private func parseEntry(_ name: String, _ scanner: inout HeaderScanner) throws(SafetensorsError) -> Entry {
    var dtype: DType?
    var shape: [Int]?
    var offsets: [Int]?
    let start = scanner.offset
    try scanner.object { (scanner, field, offset) throws(SafetensorsError) in
      let isRepeated: Bool
      switch field {
      case "dtype":
        isRepeated = dtype != nil
        let type = try scanner.string()
        dtype = DType(safetensorsName: type)
        if dtype == nil { throw scanner.failure(.unknownElementType(tensor: name, type: type), at: offset) }
      case "shape":
        isRepeated = shape != nil
        shape = try scanner.naturals(
          upTo: Self.mostDimensions,
          orFail: .tooManyDimensions(
            tensor: name, limit: Self.mostDimensions))
      case "data_offsets":
        isRepeated = offsets != nil
        offsets = try scanner.naturals(upTo: 2, orFail: .syntax(expected: "two data_offsets"))
        if offsets?.count != 2 { throw scanner.failure(.syntax(expected: "two data_offsets"), at: offset) }
      default:
        throw scanner.failure(.unknownField(tensor: name, field: field), at: offset)
      }
      if isRepeated { throw scanner.failure(.duplicateField(tensor: name, field: field), at: offset) }
    }
    guard let dtype else { throw scanner.failure(.missingField(tensor: name, field: "dtype"), at: start) }
    guard let shape else { throw scanner.failure(.missingField(tensor: name, field: "shape"), at: start) }
    guard let offsets else { throw scanner.failure(.missingField(tensor: name, field: "data_offsets"), at: start) }
    do throws(SafetensorsError.Problem) {
      return Entry(dtype: dtype, shape: Shape(shape), bytes: try place(name, dtype, shape, offsets[0], offsets[1]))
    } catch {
      throw scanner.failure(error, at: start)
    }
  }
}

// MARK: - Checking

extension SafetensorsError.Problem: Error {}

extension SafetensorsHeader {
  /// The bytes of a tensor in the file, if its offsets, shape and type agree with each other and with the file.
  private func place(
    _ name: String, _ dtype: DType, _ shape: [Int], _ begin: Int, _ end: Int
  ) throws(SafetensorsError.Problem) -> Range<Int> {
    var needed = dtype.byteCount
    for extent in shape {
      let (product, overflows) = needed.multipliedReportingOverflow(by: extent)
      // A later zero would hide the overflow from the total, yet not from code that multiplies in another order.
      guard !overflows else { throw .shapeOverflow(tensor: name) }
      needed = product
    }
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
    guard let type = DType.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
    self = type
  }
}
