import CFFmpeg
import Foundation
import Runtime

/// A file that FFmpeg's muxers write through callbacks, so that a failing write keeps the system's reason.
final class OutputFile {
  /// Writes at an offset, as `pwrite` does; tests pass one that fails.
  typealias Write = @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int) -> Int

  static let systemWrite: Write = { pwrite($0, $1, $2, off_t($3)) }

  let path: String
  /// The first failure of the operating system.
  private(set) var failure: FileFailure?
  private(set) var size = 0
  private let descriptor: Int32
  private let write: Write

  init(path: String, write: @escaping Write = OutputFile.systemWrite) throws(FileFailure) {
    self.path = path
    self.write = write
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "create") }
  }

  deinit { close(descriptor) }

  /// Writes all of `bytes`, or records why not.
  ///
  /// - Returns: false after a failure, also on later calls.
  func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    var done = 0
    while failure == nil, done < bytes.count, let base = bytes.baseAddress {
      let count = write(descriptor, base + done, bytes.count - done, offset + done)
      if count < 0 {
        if errno != EINTR { failure = FileFailure(path: path, action: "write") }
      } else {
        done += count
      }
    }
    size = max(size, offset + done)
    return failure == nil
  }

  /// Writes a whole file at `place` and brings it to the disk; failures name `path`, which the user knows it by.
  static func write(_ data: Data, to place: String, as path: String) throws(FileFailure) {
    let file = try OutputFile(path: place)
    guard data.withUnsafeBytes({ file.put($0, at: 0) }) else {
      throw FileFailure(path: path, action: "write", code: file.failure?.code ?? EIO)
    }
    guard fsync(file.descriptor) == 0 || errno == EINVAL else { throw FileFailure(path: path, action: "sync") }
  }

  /// Reads back what was written.
  func get(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if count >= 0 || errno != EINTR { return count }
    }
  }
}

/// An `AVIOContext` over an `OutputFile`: one for the muxer, and another when it reads its own output back, as it does
/// to move the index of an MP4 to the front.
final class OutputContext {
  let file: OutputFile
  private(set) var pointer: UnsafeMutablePointer<AVIOContext>?
  private var position = 0

  init(_ file: OutputFile, writes: Bool) throws(MediaFailure) {
    self.file = file
    let size = 1 << 16
    guard let buffer = av_malloc(size) else { throw .outOfMemory(path: file.path) }
    // Unretained: the context does not outlive this object.
    pointer = vap_io_context(
      buffer.assumingMemoryBound(to: UInt8.self), Int32(size), writes ? 1 : 0,
      Unmanaged.passUnretained(self).toOpaque(),
      { opaque, buffer, count in
        guard let opaque, let buffer, count > 0 else { return vap_error_io }
        return Unmanaged<OutputContext>.fromOpaque(opaque).takeUnretainedValue().read(
          into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)))
      },
      { opaque, buffer, count in
        guard let opaque, let buffer, count >= 0 else { return vap_error_io }
        return Unmanaged<OutputContext>.fromOpaque(opaque).takeUnretainedValue().write(
          UnsafeRawBufferPointer(start: buffer, count: Int(count)))
      },
      { opaque, offset, whence in
        guard let opaque else { return Int64(vap_error_io) }
        return Unmanaged<OutputContext>.fromOpaque(opaque).takeUnretainedValue().seek(to: offset, whence)
      })
    guard pointer != nil else {
      av_free(buffer)
      throw .outOfMemory(path: file.path)
    }
  }

  deinit {
    guard pointer != nil else { return }
    av_free(pointer?.pointee.buffer)
    avio_context_free(&pointer)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard file.put(bytes, at: position) else { return -(file.failure?.code ?? EIO) }
    position += bytes.count
    return Int32(bytes.count)
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int32 {
    let count = file.get(buffer, at: position)
    guard count > 0 else { return count == 0 ? vap_error_end : -errno }
    position += count
    return Int32(count)
  }

  private func seek(to offset: Int64, _ whence: Int32) -> Int64 {
    let base: Int
    switch whence & ~AVSEEK_FORCE {
    case AVSEEK_SIZE: return Int64(file.size)
    case SEEK_SET: base = 0
    case SEEK_CUR: base = position
    case SEEK_END: base = file.size
    default: return Int64(-EINVAL)
    }
    guard base + Int(offset) >= 0 else { return Int64(-EINVAL) }
    position = base + Int(offset)
    return Int64(position)
  }
}
