import Runtime

/// Why a file cannot be read as safetensors.
package struct SafetensorsError: Failure, Equatable {
  package enum Problem: Sendable, Equatable {
    /// The file is something else that often stands in place of weights.
    case otherFormat(ForeignFormat)
    case fileTooShort(byteCount: Int)
    case headerTooLong(UInt64)
    case headerBeyondFile(headerLength: UInt64, fileSize: Int)
    case header(JSONError.Problem)
    case unknownField(tensor: String, field: String)
    case missingField(tensor: String, field: String)
    case unknownElementType(tensor: String, type: String)
    case tooManyTensors(limit: Int)
    case tooManyDimensions(tensor: String, limit: Int)
    case shapeOverflow(tensor: String)
    case sizeMismatch(tensor: String, shape: String, needed: Int, found: Int)
    case reversedOffsets(tensor: String)
    case beyondData(tensor: String, end: Int, dataSize: Int)
    case overlap(tensor: String, with: String)
    case hole(before: String, byteCount: Int)
    case trailingBytes(Int)
  }

  package let path: String
  /// Where in the file the problem shows, in bytes from its start.
  package let offset: Int
  package let problem: Problem

  package init(path: String, offset: Int, problem: Problem) {
    self.path = path
    self.offset = offset
    self.problem = problem
  }

  package var category: FailureCategory { .badInput }

  package var message: String {
    if case .otherFormat(let format) = problem { return "\(path): \(format.explanation)" }
    return "\(path): not a valid safetensors file: \(explanation) (byte \(offset))"
  }

  private var explanation: String {
    switch problem {
    case .otherFormat(let format): format.explanation
    case .fileTooShort(let count): "it has \(count) bytes and ends inside the header length; download it again"
    case .headerTooLong(let length):
      "the header length is \(length), more than the \(SafetensorsHeader.longest) allowed"
    case .headerBeyondFile(let length, let size):
      "the header length is \(length), but the file has only \(size) bytes; download it again"
    case .header(let problem): "the header \(problem.explanation)"
    case .unknownField(let tensor, let field):
      "tensor '\(printable(tensor))' has the unknown field '\(printable(field))'"
    case .missingField(let tensor, let field): "tensor '\(printable(tensor))' has no '\(field)'"
    case .unknownElementType(let tensor, let type):
      "tensor '\(printable(tensor))' has element type '\(printable(type))', which is not supported; convert it to F32, "
        + "BF16 or F16"
    case .tooManyTensors(let limit): "it lists more than \(limit) tensors"
    case .tooManyDimensions(let tensor, let limit): "tensor '\(printable(tensor))' has more than \(limit) dimensions"
    case .shapeOverflow(let tensor): "the shape of tensor '\(printable(tensor))' is too large to count"
    case .sizeMismatch(let tensor, let shape, let needed, let found):
      "tensor '\(printable(tensor))' of shape \(shape) needs \(needed) bytes, but its data_offsets span \(found)"
    case .reversedOffsets(let tensor): "data_offsets of tensor '\(printable(tensor))' end before they begin"
    case .beyondData(let tensor, let end, let size):
      "data_offsets of tensor '\(printable(tensor))' end at \(end), but there are only \(size) bytes of data; the file "
        + "may be cut short"
    case .overlap(let tensor, let other):
      "tensors '\(printable(other))' and '\(printable(tensor))' overlap"
    case .hole(let tensor, let count): "\(count) bytes before tensor '\(printable(tensor))' belong to no tensor"
    case .trailingBytes(let count): "\(count) bytes after the last tensor belong to no tensor"
    }
  }
}
