// SPDX-License-Identifier: MIT
//
// Runs PowerShell 7 on Linux for the tests: the engine is the package System.Management.Automation, the same
// assembly that pwsh hosts. The modules Microsoft.PowerShell.Utility, .Management and .Security are not in that
// package, so a cmdlet of theirs exists only where a prelude script defines a function of its name (see ../stubs).
//
//   pshost parse FILE...                       every parse error as FILE:LINE:COLUMN: message; exit 1 if any
//   pshost help FILE                           the comment-based help as the engine reads it, as JSON
//   pshost features FILE                       what of the syntax is newer than PowerShell 4, the commands it calls, and
//                                              where text could turn into code; as JSON
//   pshost net45 FILE TYPES                    .NET types and members that the script uses and .NET 4.5 does not have;
//                                              TYPES is a JSON object {method: type} for calls on objects
//   pshost values FOLDER                       the four slot variables of every *.ps1 in a folder: the script is parsed
//                                              whole, its assignments are executed; one line of JSON each, in base64
//   pshost run [--prelude FILE]... FILE ARG... like `pwsh -File FILE ARG...`, exit code included
//   pshost serve                               a run per line of standard input, each in a runspace of its own: JSON
//                                              {preludes, file, arguments, environment, folder} in, {code, out, error}
//                                              back. Saves the start of a process, most of the time of a short test.
//   pshost functions [--prelude FILE]... SCRIPT TEST
//                                              defines the functions and the slot variables of SCRIPT without
//                                              running it, then runs the script TEST

using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using System.Security;
using System.Text;
using System.Text.Json;

namespace Pairport.Tests
{
    internal static class Program
    {
        private static int Main(string[] args)
        {
            var utf8 = new UTF8Encoding(false);
            Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), utf8) { AutoFlush = true });
            Console.SetError(new StreamWriter(Console.OpenStandardError(), utf8) { AutoFlush = true });
            if (args.Length >= 2 && args[0] == "parse")
            {
                return Parse(args.Skip(1));
            }
            if (args.Length == 2 && args[0] == "help")
            {
                return Help(args[1]);
            }
            if (args.Length == 2 && args[0] == "features")
            {
                return Features(args[1]);
            }
            if (args.Length == 3 && args[0] == "net45")
            {
                return Net45.Check(args[1], args[2]);
            }
            if (args.Length == 2 && args[0] == "values")
            {
                return new Session(Array.Empty<string>()).Values(args[1]);
            }
            if (args.Length == 1 && args[0] == "serve")
            {
                return Serve();
            }
            if (args.Length >= 2 && (args[0] == "run" || args[0] == "functions"))
            {
                var preludes = new List<string>();
                int next = 1;
                while (next + 1 < args.Length && args[next] == "--prelude")
                {
                    preludes.Add(args[next + 1]);
                    next += 2;
                }
                string[] rest = args.Skip(next).ToArray();
                if (args[0] == "run" && rest.Length >= 1)
                {
                    return new Session(preludes).Run(rest[0], rest.Skip(1));
                }
                if (args[0] == "functions" && rest.Length == 2)
                {
                    return new Session(preludes).RunWithFunctions(rest[0], rest[1]);
                }
            }
            Console.Error.WriteLine("usage: pshost parse FILE... | help FILE | features FILE | net45 FILE TYPES | values FOLDER | serve | run [--prelude FILE]... FILE ARG... | "
                + "functions [--prelude FILE]... SCRIPT TEST");
            return 64;
        }

        private sealed record Request(string[] preludes, string file, string[] arguments,
            Dictionary<string, string> environment, string folder);

        private static int Serve()
        {
            TextWriter answers = Console.Out;
            while (Console.In.ReadLine() is { } line)
            {
                Request request = JsonSerializer.Deserialize<Request>(line);
                foreach (string name in Environment.GetEnvironmentVariables().Keys.Cast<string>().ToArray())
                {
                    Environment.SetEnvironmentVariable(name, null);
                }
                foreach ((string name, string value) in request.environment)
                {
                    Environment.SetEnvironmentVariable(name, value);
                }
                Directory.SetCurrentDirectory(request.folder);
                using var output = new StringWriter { NewLine = "\n" };
                using var error = new StringWriter { NewLine = "\n" };
                Console.SetOut(TextWriter.Synchronized(output));
                Console.SetError(TextWriter.Synchronized(error));
                int code;
                using (var session = new Session(request.preludes))
                {
                    code = session.Run(request.file, request.arguments);
                }
                answers.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
                {
                    ["code"] = code,
                    ["out"] = output.ToString(),
                    ["error"] = error.ToString(),
                }));
            }
            return 0;
        }

        private static int Parse(IEnumerable<string> files)
        {
            int errors = 0;
            foreach (string file in files)
            {
                Parser.ParseFile(file, out _, out ParseError[] found);
                foreach (ParseError error in found)
                {
                    Console.Out.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0}:{1}:{2}: {3}", file,
                        error.Extent.StartLineNumber, error.Extent.StartColumnNumber, error.Message));
                    errors++;
                }
            }
            return errors == 0 ? 0 : 1;
        }

        private static int Features(string file)
        {
            ScriptBlockAst ast = Parser.ParseFile(file, out _, out _);
            var features = new Features();
            ast.Visit(features);
            Console.Out.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
            {
                ["newer"] = features.Newer,
                ["text_as_code"] = features.TextAsCode,
                ["commands"] = features.Commands,
                ["functions"] = features.Functions,
                ["requires_admin"] = ast.ScriptRequirements?.IsElevationRequired ?? false,
                ["requires_version"] = ast.ScriptRequirements?.RequiredPSVersion?.ToString(),
            }));
            return 0;
        }

        private static int Help(string file)
        {
            ScriptBlockAst ast = Parser.ParseFile(file, out _, out ParseError[] errors);
            CommentHelpInfo help = ast.GetHelpContent();
            if (errors.Length > 0 || help == null)
            {
                Console.Error.WriteLine("no comment-based help in " + file);
                return 1;
            }
            Console.Out.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
            {
                ["synopsis"] = help.Synopsis,
                ["description"] = help.Description,
                ["parameters"] = help.Parameters,
                ["examples"] = help.Examples,
                ["links"] = help.Links,
                ["declared"] = ast.ParamBlock.Parameters.Select(p => p.Name.VariablePath.UserPath).ToArray(),
            }));
            return 0;
        }
    }

    internal sealed class Features : AstVisitor2
    {
        public readonly List<string> Newer = new();
        public readonly List<string> TextAsCode = new();
        public readonly SortedSet<string> Commands = new(StringComparer.OrdinalIgnoreCase);
        public readonly SortedSet<string> Functions = new(StringComparer.OrdinalIgnoreCase);

        private static string At(Ast ast) => ast.Extent.StartLineNumber + ": " + ast.Extent.Text.Split('\n')[0];

        private AstVisitAction IsNewer(Ast ast)
        {
            Newer.Add(At(ast));
            return AstVisitAction.Continue;
        }

        public override AstVisitAction VisitTernaryExpression(TernaryExpressionAst ast) => IsNewer(ast);
        public override AstVisitAction VisitPipelineChain(PipelineChainAst ast) => IsNewer(ast);
        public override AstVisitAction VisitTypeDefinition(TypeDefinitionAst ast) => IsNewer(ast);
        public override AstVisitAction VisitUsingStatement(UsingStatementAst ast) => IsNewer(ast);
        public override AstVisitAction VisitBaseCtorInvokeMemberExpression(BaseCtorInvokeMemberExpressionAst ast)
            => IsNewer(ast);

        public override AstVisitAction VisitPipeline(PipelineAst ast)
            => ast.Background ? IsNewer(ast) : AstVisitAction.Continue;

        public override AstVisitAction VisitMemberExpression(MemberExpressionAst ast)
            => ast.NullConditional ? IsNewer(ast) : AstVisitAction.Continue;

        public override AstVisitAction VisitIndexExpression(IndexExpressionAst ast)
            => ast.NullConditional ? IsNewer(ast) : AstVisitAction.Continue;

        public override AstVisitAction VisitInvokeMemberExpression(InvokeMemberExpressionAst ast)
        {
            string name = (ast.Member as StringConstantExpressionAst)?.Value;
            if (ast.NullConditional || (ast.Static && string.Equals(name, "new", StringComparison.OrdinalIgnoreCase)))
            {
                Newer.Add(At(ast));
            }
            if (string.Equals(name, "Create", StringComparison.OrdinalIgnoreCase)
                && ast.Expression.Extent.Text.Contains("scriptblock", StringComparison.OrdinalIgnoreCase))
            {
                TextAsCode.Add(At(ast));
            }
            if (string.Equals(name, "InvokeScript", StringComparison.OrdinalIgnoreCase)
                || string.Equals(name, "ExpandString", StringComparison.OrdinalIgnoreCase)
                || string.Equals(name, "NewScriptBlock", StringComparison.OrdinalIgnoreCase))
            {
                TextAsCode.Add(At(ast));
            }
            return AstVisitAction.Continue;
        }

        public override AstVisitAction VisitAssignmentStatement(AssignmentStatementAst ast)
            => ast.Operator == TokenKind.QuestionQuestionEquals ? IsNewer(ast) : AstVisitAction.Continue;

        public override AstVisitAction VisitBinaryExpression(BinaryExpressionAst ast)
        {
            if (ast.Operator == TokenKind.QuestionQuestion)
            {
                Newer.Add(At(ast));
            }
            // Text on the right of -replace is a language of its own ($1, $&).
            if (ast.Operator is TokenKind.Ireplace or TokenKind.Creplace)
            {
                TextAsCode.Add(At(ast));
            }
            return AstVisitAction.Continue;
        }

        public override AstVisitAction VisitExpandableStringExpression(ExpandableStringExpressionAst ast)
        {
            TextAsCode.Add(At(ast));
            return AstVisitAction.Continue;
        }

        public override AstVisitAction VisitFunctionDefinition(FunctionDefinitionAst ast)
        {
            Functions.Add(ast.Name);
            return AstVisitAction.Continue;
        }

        public override AstVisitAction VisitCommand(CommandAst ast)
        {
            Commands.Add(ast.GetCommandName() ?? ast.CommandElements[0].Extent.Text);
            return AstVisitAction.Continue;
        }
    }

    internal sealed class Session : IDisposable
    {
        private readonly Runspace runspace;

        public Session(IEnumerable<string> preludes)
        {
            var state = InitialSessionState.CreateDefault2();
            runspace = RunspaceFactory.CreateRunspace(new Host(), state);
            runspace.Open();
            Runspace.DefaultRunspace = runspace;
            foreach (string prelude in preludes)
            {
                // Dot-sourced: its functions and variables are global.
                if (!Invoke(p => p.AddScript(". '" + Path.GetFullPath(prelude).Replace("'", "''") + "'", false)))
                {
                    throw new InvalidOperationException("prelude failed: " + prelude);
                }
            }
        }

        public void Dispose() => runspace.Dispose();

        // As pwsh does with -File: what begins with a dash is the name of a parameter.
        public int Run(string file, IEnumerable<string> arguments)
        {
            bool completed = Invoke(p =>
            {
                var command = new Command(Path.GetFullPath(file), false, false);
                foreach (string argument in arguments)
                {
                    command.Parameters.Add(argument.StartsWith('-')
                        ? new CommandParameter(argument)
                        : new CommandParameter(null, argument));
                }
                p.Commands.AddCommand(command);
            });
            return completed ? LastExitCode() : 1;
        }

        public int Values(string folder)
        {
            string[] names = { "ConnectUrl", "Fingerprint", "ClientId", "Password" };
            foreach (string file in Directory.GetFiles(folder, "*.ps1").OrderBy(f => f, StringComparer.Ordinal))
            {
                ScriptBlockAst ast = Parser.ParseFile(file, out _, out ParseError[] errors);
                var line = new Dictionary<string, object>
                {
                    ["file"] = Path.GetFileName(file),
                    ["errors"] = errors.Length,
                    ["statements"] = ast.EndBlock.Statements.Count,
                };
                foreach (string name in names)
                {
                    AssignmentStatementAst[] found = ast.EndBlock.Statements.OfType<AssignmentStatementAst>()
                        .Where(a => (a.Left as VariableExpressionAst)?.VariablePath.UserPath == name).ToArray();
                    if (found.Length != 1 || !Invoke(p => p.AddScript(found[0].Extent.Text, false)))
                    {
                        return 1;
                    }
                    var value = (string)runspace.SessionStateProxy.GetVariable(name);
                    line[name] = Convert.ToBase64String(new UTF8Encoding(false, true).GetBytes(value));
                }
                Console.Out.WriteLine(JsonSerializer.Serialize(line));
            }
            return 0;
        }

        public int RunWithFunctions(string script, string test)
        {
            ScriptBlockAst ast = Parser.ParseFile(Path.GetFullPath(script), out _, out ParseError[] errors);
            if (errors.Length > 0)
            {
                Console.Error.WriteLine(errors[0].Message);
                return 1;
            }
            foreach (StatementAst statement in ast.EndBlock.Statements)
            {
                // Functions, and plain assignments (slots and initial values) that call nothing.
                bool wanted = statement is FunctionDefinitionAst
                    || (statement is AssignmentStatementAst && statement.Find(a => a is CommandAst, true) == null);
                if (wanted && !Invoke(p => p.AddScript(statement.Extent.Text, false)))
                {
                    return 1;
                }
            }
            return Run(test, Array.Empty<string>());
        }

        private bool Invoke(Action<PowerShell> build)
        {
            using var shell = PowerShell.Create(runspace);
            build(shell);
            try
            {
                var output = new PSDataCollection<PSObject>();
                output.DataAdded += (_, e) => Console.Out.WriteLine(output[e.Index]?.ToString());
                shell.Streams.Error.DataAdded += (sender, e) =>
                {
                    ErrorRecord record = ((PSDataCollection<ErrorRecord>)sender)[e.Index];
                    Console.Error.WriteLine(record + " " + record.InvocationInfo?.PositionMessage);
                };
                shell.Invoke(null, output);
                return true;
            }
            catch (RuntimeException e)
            {
                Console.Error.WriteLine(e.ErrorRecord + " " + e.ErrorRecord?.InvocationInfo?.PositionMessage
                    + Environment.NewLine + e.ErrorRecord?.ScriptStackTrace);
                return false;
            }
        }

        private int LastExitCode()
        {
            object value = runspace.SessionStateProxy.GetVariable("LASTEXITCODE");
            return value == null ? 0 : Convert.ToInt32(value, CultureInfo.InvariantCulture);
        }
    }

    internal sealed class Host : PSHost
    {
        private readonly HostUI ui = new HostUI();

        public override string Name => "pshost";
        public override Version Version => new Version(1, 0);
        public override Guid InstanceId { get; } = Guid.NewGuid();
        public override PSHostUserInterface UI => ui;
        public override CultureInfo CurrentCulture => CultureInfo.InvariantCulture;
        public override CultureInfo CurrentUICulture => CultureInfo.InvariantCulture;
        public override void EnterNestedPrompt() => throw new NotSupportedException();
        public override void ExitNestedPrompt() => throw new NotSupportedException();
        public override void NotifyBeginApplication() { }
        public override void NotifyEndApplication() { }
        public override void SetShouldExit(int exitCode) { }
    }

    internal sealed class HostUI : PSHostUserInterface
    {
        private readonly HostRawUI raw = new HostRawUI();

        public override PSHostRawUserInterface RawUI => raw;
        public override void Write(string value) => Console.Out.Write(value);
        public override void Write(ConsoleColor f, ConsoleColor b, string value) => Console.Out.Write(value);
        public override void WriteLine(string value) => Console.Out.WriteLine(value);
        public override void WriteErrorLine(string value) => Console.Error.WriteLine(value);
        public override void WriteDebugLine(string message) => Console.Out.WriteLine("DEBUG: " + message);
        public override void WriteVerboseLine(string message) => Console.Out.WriteLine("VERBOSE: " + message);
        public override void WriteWarningLine(string message) => Console.Out.WriteLine("WARNING: " + message);
        public override void WriteProgress(long sourceId, ProgressRecord record) { }
        // A script that asks a question would hang in automation: it fails here.
        public override string ReadLine() => throw new NotSupportedException("the script asks a question");
        public override SecureString ReadLineAsSecureString() => throw new NotSupportedException();
        public override Dictionary<string, PSObject> Prompt(string c, string m, Collection<FieldDescription> d)
            => throw new NotSupportedException("the script asks for: " + string.Join(", ", d.Select(x => x.Name)));
        public override int PromptForChoice(string c, string m, Collection<ChoiceDescription> o, int d)
            => throw new NotSupportedException("the script asks a question");
        public override PSCredential PromptForCredential(string c, string m, string u, string t)
            => throw new NotSupportedException();
        public override PSCredential PromptForCredential(string c, string m, string u, string t,
            PSCredentialTypes a, PSCredentialUIOptions o) => throw new NotSupportedException();
    }

    internal sealed class HostRawUI : PSHostRawUserInterface
    {
        public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;
        public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;
        public override Size BufferSize { get; set; } = new Size(120, 50);
        public override Coordinates CursorPosition { get; set; }
        public override int CursorSize { get; set; } = 1;
        public override bool KeyAvailable => false;
        public override Size MaxPhysicalWindowSize => new Size(120, 50);
        public override Size MaxWindowSize => new Size(120, 50);
        public override Coordinates WindowPosition { get; set; }
        public override Size WindowSize { get; set; } = new Size(120, 50);
        public override string WindowTitle { get; set; } = "";
        public override void FlushInputBuffer() { }
        public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();
        public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();
        public override void ScrollBufferContents(Rectangle s, Coordinates d, Rectangle c, BufferCell f) { }
        public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) { }
        public override void SetBufferContents(Rectangle rectangle, BufferCell fill) { }
    }
}
