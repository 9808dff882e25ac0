// SPDX-License-Identifier: MIT
//
// Compares the .NET members that a script names with the reference assemblies of .NET Framework 4.5. A call matches when
// there is a method of that name that takes so many arguments; argument types are not looked at.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation.Language;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.Json;

using MethodAttributes = System.Reflection.MethodAttributes;
using TypeAttributes = System.Reflection.TypeAttributes;

namespace Pairport.Tests
{
    internal sealed class Net45
    {
        private sealed class Known
        {
            public string Base;
            public readonly List<(string Name, int Count, bool Open)> Methods = new();
            public readonly HashSet<string> Values = new(StringComparer.OrdinalIgnoreCase);
        }

        // Names that PowerShell 4 itself knows.
        private static readonly Dictionary<string, string> Accelerators = new(StringComparer.OrdinalIgnoreCase)
        {
            ["string"] = "System.String", ["int"] = "System.Int32", ["long"] = "System.Int64", ["bool"] = "System.Boolean",
            ["char"] = "System.Char", ["byte"] = "System.Byte", ["guid"] = "System.Guid", ["math"] = "System.Math",
            ["regex"] = "System.Text.RegularExpressions.Regex", ["hashtable"] = "System.Collections.Hashtable",
        };

        private static readonly HashSet<string> OfPowerShell = new(StringComparer.OrdinalIgnoreCase)
        {
            "switch", "pscustomobject", "NullString", "CmdletBinding", "Alias", "ref", "Management.Automation.SwitchParameter",
        };

        private readonly Dictionary<string, Known> types = new(StringComparer.OrdinalIgnoreCase);
        private readonly SortedSet<string> problems = new(StringComparer.Ordinal);
        private int checks;

        public static int Check(string file, string map)
        {
            var check = new Net45();
            string folder = typeof(Net45).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
                .Single(a => a.Key == "Net45").Value;
            foreach (string assembly in Directory.GetFiles(folder, "*.dll"))
            {
                check.Load(assembly);
            }
            check.Script(Parser.ParseFile(file, out _, out _),
                JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(map)));
            foreach (string problem in check.problems)
            {
                Console.Out.WriteLine(problem);
            }
            Console.Error.WriteLine(check.checks + " uses checked against " + check.types.Count + " types");
            return check.problems.Count == 0 ? 0 : 1;
        }

        private void Load(string path)
        {
            using var image = new PEReader(File.OpenRead(path));
            if (!image.HasMetadata)
            {
                return;
            }
            MetadataReader reader = image.GetMetadataReader();
            foreach (TypeDefinition type in reader.TypeDefinitions.Select(reader.GetTypeDefinition))
            {
                string name = reader.GetString(type.Namespace) + "." + reader.GetString(type.Name);
                if ((type.Attributes & TypeAttributes.VisibilityMask) != TypeAttributes.Public)
                {
                    continue;
                }
                var known = new Known { Base = BaseName(reader, type.BaseType) };
                foreach (MethodDefinition method in type.GetMethods().Select(reader.GetMethodDefinition)
                    .Where(m => (m.Attributes & MethodAttributes.MemberAccessMask) == MethodAttributes.Public))
                {
                    int count = method.DecodeSignature(new CountOnly(), null).ParameterTypes.Length;
                    bool open = method.GetParameters().Select(reader.GetParameter)
                        .Any(p => p.GetCustomAttributes().Any(a => IsParamArray(reader, a)));
                    known.Methods.Add((reader.GetString(method.Name), count, open));
                }
                known.Values.UnionWith(type.GetProperties()
                    .Select(p => reader.GetString(reader.GetPropertyDefinition(p).Name)));
                known.Values.UnionWith(type.GetFields().Select(f => reader.GetString(reader.GetFieldDefinition(f).Name)));
                types[name] = known;
            }
        }

        private static string BaseName(MetadataReader reader, EntityHandle handle) => handle.IsNil ? null : handle.Kind switch
        {
            HandleKind.TypeReference => reader.GetString(reader.GetTypeReference((TypeReferenceHandle)handle).Namespace) + "."
                + reader.GetString(reader.GetTypeReference((TypeReferenceHandle)handle).Name),
            HandleKind.TypeDefinition => reader.GetString(reader.GetTypeDefinition((TypeDefinitionHandle)handle).Namespace)
                + "." + reader.GetString(reader.GetTypeDefinition((TypeDefinitionHandle)handle).Name),
            _ => null,
        };

        private static bool IsParamArray(MetadataReader reader, CustomAttributeHandle handle)
        {
            EntityHandle constructor = reader.GetCustomAttribute(handle).Constructor;
            EntityHandle type = constructor.Kind == HandleKind.MemberReference
                ? reader.GetMemberReference((MemberReferenceHandle)constructor).Parent
                : reader.GetMethodDefinition((MethodDefinitionHandle)constructor).GetDeclaringType();
            return BaseName(reader, type) == "System.ParamArrayAttribute";
        }

        private string Find(string name)
        {
            name = name.Trim();
            if (Accelerators.TryGetValue(name, out string full))
            {
                return full;
            }
            foreach (string candidate in new[] { name, "System." + name })
            {
                if (types.ContainsKey(candidate))
                {
                    return candidate;
                }
            }
            return null;
        }

        private bool Has(string type, Func<Known, bool> predicate)
        {
            for (; type != null && types.TryGetValue(type, out Known known); type = known.Base)
            {
                if (predicate(known))
                {
                    return true;
                }
            }
            return false;
        }

        private void Method(string type, string name, int count, Ast at)
        {
            checks++;
            if (!Has(type, k => k.Methods.Any(m => string.Equals(m.Name, name, StringComparison.OrdinalIgnoreCase)
                && (m.Count == count || (m.Open && count >= m.Count - 1)))))
            {
                Report(at, type + "." + name + " with " + count + " arguments");
            }
        }

        private void Report(Ast at, string what) => problems.Add(at.Extent.StartLineNumber + ": " + what);

        private string Type(ITypeName name, Ast at)
        {
            checks++;
            if (OfPowerShell.Contains(name.FullName))
            {
                return null;
            }
            if (name is ArrayTypeName array)
            {
                return Type(array.ElementType, at);
            }
            if (name is GenericTypeName generic)
            {
                foreach (ITypeName argument in generic.GenericArguments)
                {
                    Type(argument, at);
                }
                return Known45(generic.TypeName.FullName + "`" + generic.GenericArguments.Count, at);
            }
            return Known45(name.FullName, at);
        }

        private string Known45(string name, Ast at)
        {
            string found = Find(name);
            if (found == null)
            {
                Report(at, "type " + name);
            }
            return found;
        }

        private void Script(ScriptBlockAst script, Dictionary<string, string> instanceTypes)
        {
            foreach (Ast ast in script.FindAll(_ => true, true))
            {
                switch (ast)
                {
                    case TypeExpressionAst type:
                        Type(type.TypeName, ast);
                        break;
                    case AttributeBaseAst attribute:
                        Type(attribute.TypeName, ast);
                        break;
                    case CommandAst command when command.GetCommandName() == "New-Object":
                        string text = ((StringConstantExpressionAst)command.CommandElements[1]).Value;
                        // The parser reads the name of a type, generic or not.
                        var parsed = (TypeExpressionAst)Parser.ParseInput("[" + text + "]", out _, out _)
                            .Find(a => a is TypeExpressionAst, true);
                        string created = Type(parsed.TypeName, ast);
                        if (created != null && parsed.TypeName is not ArrayTypeName)
                        {
                            Method(created, ".ctor", command.CommandElements.Count - 2, ast);
                        }
                        break;
                    case InvokeMemberExpressionAst call:
                        string name = ((StringConstantExpressionAst)call.Member).Value;
                        int count = call.Arguments?.Count ?? 0;
                        if (call.Static)
                        {
                            string owner = Find(((TypeExpressionAst)call.Expression).TypeName.FullName);
                            if (owner != null)
                            {
                                Method(owner, name, count, ast);
                            }
                        }
                        else if (!instanceTypes.TryGetValue(name, out string receivers))
                        {
                            Report(ast, "call of " + name + ": name its type in the test");
                        }
                        else if (receivers != "PowerShell")
                        {
                            foreach (string receiver in receivers.Split(' '))
                            {
                                Method(receiver, name, count, ast);
                            }
                        }
                        break;
                    case MemberExpressionAst member when member.Static:
                        checks++;
                        string declared = ((TypeExpressionAst)member.Expression).TypeName.FullName;
                        string value = ((StringConstantExpressionAst)member.Member).Value;
                        if (!OfPowerShell.Contains(declared)
                            && !Has(Find(declared), k => k.Values.Contains(value)))
                        {
                            Report(ast, declared + "::" + value);
                        }
                        break;
                }
            }
        }

        // Signatures are decoded for the number of their parameters only.
        private sealed class CountOnly : ISignatureTypeProvider<int, object>
        {
            public int GetArrayType(int t, ArrayShape s) => 0;
            public int GetByReferenceType(int t) => 0;
            public int GetFunctionPointerType(MethodSignature<int> s) => 0;
            public int GetGenericInstantiation(int t, System.Collections.Immutable.ImmutableArray<int> a) => 0;
            public int GetGenericMethodParameter(object c, int i) => 0;
            public int GetGenericTypeParameter(object c, int i) => 0;
            public int GetModifiedType(int m, int u, bool r) => 0;
            public int GetPinnedType(int t) => 0;
            public int GetPointerType(int t) => 0;
            public int GetPrimitiveType(PrimitiveTypeCode c) => 0;
            public int GetSZArrayType(int t) => 0;
            public int GetTypeFromDefinition(MetadataReader r, TypeDefinitionHandle h, byte k) => 0;
            public int GetTypeFromReference(MetadataReader r, TypeReferenceHandle h, byte k) => 0;
            public int GetTypeFromSpecification(MetadataReader r, object c, TypeSpecificationHandle h, byte k) => 0;
        }
    }
}
